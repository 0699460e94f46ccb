"""Phase congruency: a share, high at an edge wherever it is and however strong, none in flat pictures."""

import torch

from shared.vision.similarity.phase_congruency import phase_congruency


def edge(level: float) -> torch.Tensor:
    picture = torch.zeros(1, 1, 32, 32, dtype=torch.float64)
    picture[..., 16:] = level
    return picture


def test_it_is_a_share() -> None:
    noise = torch.rand(3, 1, 32, 40, dtype=torch.float64, generator=torch.Generator().manual_seed(0)) * 255
    congruency = phase_congruency(noise)
    assert congruency.shape == noise.shape
    assert congruency.min() >= 0
    assert congruency.max() <= 1


def test_an_edge_stands_out_whatever_its_contrast() -> None:
    strong, weak = (phase_congruency(edge(level))[0, 0] for level in (200.0, 20.0))
    torch.testing.assert_close(strong, weak, rtol=0, atol=1e-6)
    assert strong[:, 15:17].min() > strong[:, 7:9].max()


def test_pictures_do_not_depend_on_their_company() -> None:
    pair = torch.cat([edge(200.0), edge(50.0).transpose(-1, -2)])
    torch.testing.assert_close(phase_congruency(pair)[1:], phase_congruency(pair[1:]), rtol=0, atol=1e-12)
