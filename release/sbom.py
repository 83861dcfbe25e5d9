"""The software bill of materials, in CycloneDX's format."""

from cyclonedx.model import HashAlgorithm, HashType
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.model.license import LicenseExpression
from cyclonedx.output import make_outputter
from cyclonedx.schema import OutputFormat, SchemaVersion
from packageurl import PackageURL

from release.image import Image, Package

SCHEMA = SchemaVersion.V1_6


def write_sbom(image: Image, name: str, version: str) -> str:
    """Return the bill of an image as JSON that is valid against CycloneDX's schema.

    Args:
        image: the image.
        name: what it is called.
        version: its version.
    """
    digest = HashType(alg=HashAlgorithm.SHA_256, content=image.identity)
    whole = Component(type=ComponentType.CONTAINER, name=name, version=version, bom_ref=name, hashes=[digest])
    parts = [_component(package) for package in image.packages]
    bom = Bom(components=parts)
    bom.metadata.component = whole
    bom.register_dependency(whole, parts)
    # It builds parsers for formats when it is imported, which takes longer than all else; verifying needs none.
    from cyclonedx.validation.json import JsonStrictValidator  # noqa: PLC0415

    text = make_outputter(bom, OutputFormat.JSON, SCHEMA).output_as_string(indent=2)
    if fault := JsonStrictValidator(SCHEMA).validate_str(text):
        raise AssertionError(fault)
    return text


def _component(package: Package) -> Component:
    space = "debian" if package.kind == "deb" else None
    url = PackageURL(package.kind, space, package.name, package.version)
    licenses = [LicenseExpression(package.license)] if package.license else []
    return Component(
        type=ComponentType.LIBRARY,
        name=package.name,
        version=package.version,
        purl=url,
        bom_ref=url.to_string(),
        licenses=licenses,
    )
