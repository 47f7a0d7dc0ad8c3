"""The experiments harness, tried on studies that the tests write themselves."""
