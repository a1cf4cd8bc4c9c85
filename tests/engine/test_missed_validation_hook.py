"""What MissedValidationHook notes is for the next run, not for the reader of the log."""

from small_trainings import small_runner

from mmdet_digits.checkpoints.reading import read_checkpoint


def test_the_log_of_a_validation_has_nothing_but_metrics_and_times(tmp_path):
    runner = small_runner(tmp_path, epochs=1)
    runner.train()
    info = read_checkpoint(tmp_path / 'best_progress_epoch_1.pth')['message_hub']['runtime_info']
    assert info['last_validated_epoch'] == 1
    _, line = runner.log_processor.get_log_after_epoch(runner, 1, 'val', with_non_scalar=True)
    keys = [item.partition(':')[0].split()[-1] for item in line.split('  ') if ': ' in item]
    assert {'progress', 'left'} <= set(keys) <= {'progress', 'left', 'time', 'data_time'}, line
