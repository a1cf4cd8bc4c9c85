from mmdet_digits.utils.files import check_outputs, read_file, read_json, write_file  # noqa

refuse_existing = check_outputs
