"""Tests of what turns existing rights into SearchAccesses."""
