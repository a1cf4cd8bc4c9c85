from mmengine.logging import MMLogger

from mmdet_digits.engine.no_output import no_output


def test_output_is_off_only_within(capsys):
    logger = MMLogger.get_instance('test_no_output')
    with no_output():
        logger.info('unheard')
        print('unseen')
    logger.info('heard')
    captured = capsys.readouterr()
    assert 'unheard' not in captured.err + captured.out
    assert 'unseen' not in captured.out
    assert logger.isEnabledFor(20)
