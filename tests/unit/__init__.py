"""Tests of the pure core: no I/O, no mocks."""
