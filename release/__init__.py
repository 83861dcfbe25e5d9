"""Describes a release (SBOM, provenance), signs that, and verifies it, all without a network. See docs/adr/0039."""
