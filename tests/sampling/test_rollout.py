import pytest
import torch

from kinema.core import UserError
from kinema.sampling import rollout, windows


@pytest.mark.parametrize(("window", "given"), [(2, 1), (5, 1), (5, 4), (8, 3), (33, 3)])
@pytest.mark.parametrize("num_frames", [4, 5, 6, 33, 34, 100])
def test_exactly_the_frames_asked_for_and_each_follows_the_last(num_frames, window, given):
    asked = []

    def dream(known, index, start):  # counts on from what it is given
        asked.append(index)
        assert start == int(known[0, 0])
        assert known.shape == (2, given, 1, 1, 1)
        return torch.cat([known, known[:, -1:] + torch.arange(1, window - given + 1).view(1, -1, 1, 1, 1)], 1)

    first = torch.arange(given).view(1, given, 1, 1, 1).expand(2, -1, -1, -1, -1)
    frames = rollout(dream, first, num_frames, window)
    assert frames.shape == (2, num_frames, 1, 1, 1)
    assert frames[1].flatten().tolist() == list(range(num_frames))
    assert asked == list(range(windows(num_frames, window, given)))
    assert given + len(asked) * (window - given) >= num_frames > given + (len(asked) - 1) * (window - given)


@pytest.mark.parametrize(("num_frames", "window", "given"), [(2, 8, 3), (0, 8, 3), (10, 3, 3), (10, 2, 3), (10, 8, 0)])
def test_impossible_counts_are_refused(num_frames, window, given):
    with pytest.raises(UserError, match="frames"):
        windows(num_frames, window, given)


def test_a_window_of_another_length_is_a_bug():
    with pytest.raises(ValueError, match="gave 4 frames where a window has 5"):
        rollout(lambda known, index, start: torch.zeros(1, 4, 1, 1, 1), torch.zeros(1, 1, 1, 1, 1), 9, 5)
