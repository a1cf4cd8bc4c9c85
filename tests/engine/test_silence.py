from mmengine.logging import MMLogger

from mmdet_digits.engine.silence import silence


def test_what_was_silent_speaks_again(capsys):
    logger = MMLogger.get_instance('test_silence')
    with silence():
        logger.info('unheard')
        print('unseen')
    logger.info('heard')
    captured = capsys.readouterr()
    assert 'unheard' not in captured.err + captured.out
    assert 'unseen' not in captured.out
    assert logger.isEnabledFor(20)
