"""Settings of the array library tests."""

import importlib.util

import pytest


@pytest.fixture(autouse=True, scope="package")
def one_torch_thread():
    """Arrays of a few hundred numbers: waking torch's threads costs more than the work."""
    if importlib.util.find_spec("torch") is None:
        yield
        return
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
