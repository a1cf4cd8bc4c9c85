"""Other data sets' annotations to COCO files of digits.

Each format has a class that is a sequence of ``DigitRecord``, read when asked for; ``build_coco``
makes a COCO dictionary of them. Nothing here needs torch or mmdet.
"""
