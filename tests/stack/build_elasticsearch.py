"""Lays out Elasticsearch, with the real security plugin, from the jars on Maven Central.

Everything runs on the class path. Small parts of our own stand for modules that are not on Maven Central: see `es/`.
"""

import shutil
from fnmatch import fnmatch
from pathlib import Path
from zipfile import ZipFile

from tests.stack.build import BuildDisplay, require_tool, run_tool
from tests.stack.cache import BuildInputs, ensure_entry, files_under
from tests.stack.releases import Release, chosen_release, find_jdk

_SOURCES = Path(__file__).parent / "es"
_MAVEN_PURPOSE = "downloads the jars of Elasticsearch for tests"

# Which jars belong to which module; the rest is the server's own and stays in lib/.
_MODULE_JARS = {
    "transport-netty4": ("transport-netty4-*", "netty-*"),
    "x-pack-core": (
        "x-pack-core-*",
        "x-pack-template-resources-*",
        "elasticsearch-ssl-config-*",
        "http*",
        "commons-codec-*",
        "commons-logging-*",
        "log4j-1.2-api-*",
        "unboundid-*",
    ),
    "x-pack-security": (
        "x-pack-security-*",
        "accessors-smart-*",
        "asm-*",
        "content-type-*",
        "cryptacular-*",
        "failureaccess-*",
        "guava-*",
        "jakarta.mail-*",
        "jcip-*",
        "json-smart-*",
        "jsr305-*",
        "lang-tag-*",
        "metrics-core-*",
        "nimbus-*",
        "oauth2-*",
        "slf4j-*",
        "xmlsec-*",
    ),
    "mustache": ("compiler-*",),
}
_OWN_MODULES = {
    "analysis": "SecurityIndexAnalysisPlugin",
    "mustache": "MustacheScriptPlugin",
    "root": "RootHandlerPlugin",
}


def elasticsearch_inputs(release: Release) -> BuildInputs:
    compiled = [path for path in files_under(_SOURCES) if path.parent.name != "config"]
    return BuildInputs("elasticsearch", release.version, (*compiled, Path(__file__)), facts=(str(release.java),))


def ensure_elasticsearch_home(release: Release | None = None, display: BuildDisplay | None = None) -> Path:
    """The read-only home that every node of a release shares: `lib/`, `modules/` and `launcher/`.

    Args:
        release: which one; the chosen one by default.
        display: where progress shows.
    """
    wanted = release or chosen_release()

    def build(target: Path) -> None:
        javac = find_jdk(wanted, compiler=True).javac
        assert javac is not None
        maven = require_tool("mvn", _MAVEN_PURPOSE)
        show = display or BuildDisplay()
        with show.step(f"Downloading Elasticsearch {wanted.version} (once)"):
            _download_jars(maven, target, wanted)
        with show.step("Compiling the launcher and modules of Elasticsearch"):
            _lay_out_modules(target)
            _compile_own_parts(javac, target, wanted)

    return ensure_entry(elasticsearch_inputs(wanted), build)


def _download_jars(maven: str, home: Path, release: Release) -> None:
    goal = ["dependency:copy-dependencies", f"-DoutputDirectory={home / 'lib'}", "-DincludeScope=runtime"]
    version = f"-Delasticsearch.version={release.version}"
    run_tool([maven, "--batch-mode", "--quiet", "--file", str(_SOURCES / "pom.xml"), version, *goal], cwd=home)


def _lay_out_modules(home: Path) -> None:
    (home / "plugins").mkdir()
    for module, patterns in _MODULE_JARS.items():
        folder = home / "modules" / module
        folder.mkdir(parents=True)
        for jar in sorted((home / "lib").glob("*.jar")):
            if any(fnmatch(jar.name, pattern) for pattern in patterns):
                jar.rename(folder / jar.name)
        if module not in _OWN_MODULES:
            _extract_descriptor(folder, module)
    # x-pack-security's class loader does not see transport-netty4's: upstream bridges that with Java modules.
    for jar in (home / "modules" / "transport-netty4").glob("*.jar"):
        shutil.copy2(jar, home / "modules" / "x-pack-security")


def _extract_descriptor(folder: Path, module: str) -> None:
    """Take the descriptor out of the module's jar, without the name of its Java module: no module path here."""
    [jar] = folder.glob(f"{module}-*.jar")
    with ZipFile(jar) as archive:
        descriptor = archive.read(f"META-INF/es-plugins/{module}/plugin-descriptor.properties").decode()
    lines = [line for line in descriptor.splitlines() if not line.startswith("modulename=")]
    (folder / "plugin-descriptor.properties").write_text("\n".join(lines) + "\n")


def _compile_own_parts(javac: str, home: Path, release: Release) -> None:
    _compile(javac, release, _SOURCES / "saml-stubs", home / "modules" / "x-pack-security" / "saml-stubs.jar")
    for module, plugin_class in _OWN_MODULES.items():
        folder = home / "modules" / module
        folder.mkdir(exist_ok=True)
        _compile(javac, release, _SOURCES / "modules" / module, folder / f"{module}.jar")
        descriptor = {
            "name": module,
            "description": f"stands for Elasticsearch's own module in tests: {plugin_class}",
            "version": release.version,
            "elasticsearch.version": release.version,
            "java.version": release.java,
            "classname": plugin_class,
        }
        lines = [f"{key}={value}\n" for key, value in descriptor.items()]
        (folder / "plugin-descriptor.properties").write_text("".join(lines))
    _compile(javac, release, _SOURCES / "launcher", home / "launcher" / "launcher.jar")


def _compile(javac: str, release: Release, sources: Path, jar: Path) -> None:
    classes = jar.with_suffix(".classes")
    classes.mkdir(parents=True)
    home = next(folder for folder in jar.parents if (folder / "lib").is_dir())
    class_path = f"{home / 'lib'}/*:{jar.parent}/*"
    files = [str(path) for path in files_under(sources)]
    options = ["--release", str(release.java), "-nowarn", "-proc:none", "-cp", class_path, "-d", str(classes)]
    run_tool([javac, *options, *files], cwd=home)
    with ZipFile(jar, "w") as archive:
        for compiled in files_under(classes):
            archive.write(compiled, compiled.relative_to(classes))
    shutil.rmtree(classes)
