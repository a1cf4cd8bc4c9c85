import pytest


@pytest.mark.parametrize('largest', [0, 1, 2, 3, 63, 64, 65, 99, 100, 101, 1000])
def test_largest_fitting(largest):
    from largest_batch import largest_fitting

    tried = []

    def fits(number):
        tried.append(number)
        return number <= largest

    assert largest_fitting(fits, limit=100) == min(largest, 100)
    assert len(set(tried)) == len(tried) <= 7
    assert all(1 <= number <= 100 for number in tried)
