import pytest
from mmengine.config import Config


@pytest.fixture(scope='module', autouse=True)
def quick_checkpoints():
    """Leave the text of the config out: to format it takes longer than a run of a few images."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Config, 'pretty_text', '')
        yield
