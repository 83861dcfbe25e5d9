"""Prints the JWT realm that a SearchCluster needs, and compares it with the live one."""

import json
from pathlib import Path
from typing import Any

import typer

from searchaccess.cli.manifests import failure, read_kind
from searchaccess.cli.options.connecting import Reaching
from searchaccess.cli.printing import Format, emit, progress, verbatim, warn
from searchaccess.core.answers.exits import Exit
from searchaccess.core.answers.realms import Place, RealmNeeds, differences, needs_of, text_of
from searchaccess.core.clusters.cluster import Cluster, cluster_from_object
from searchaccess.core.messages import number_of
from searchaccess.core.rights.ownership import Operator
from searchaccess.operator.answers.reading import Live
from searchaccess.ports.kubernetes import Plural


async def print_realms(reaching: Reaching, files: list[Path], place: str, output: Format, *, check: bool) -> None:
    """Print what SearchClusters need of their Elasticsearch, or what is wrong there.

    Args:
        reaching: where they are.
        files: with the SearchClusters; empty: those of the API server.
        place: where Elasticsearch is configured, a ``Place``.
        output: the format.
        check: whether it is compared with the live Elasticsearch.

    Raises:
        typer.Exit: there is none, or something differs; that was printed.
        ExternalError: something may not be read.
    """
    if place not in set(Place):
        raise typer.BadParameter(f"write one of {', '.join(Place)}", param_hint="--for")
    if reaching.elasticsearch and not files:
        raise typer.BadParameter("requires a SearchCluster in a file (-f)", param_hint="--elasticsearch")
    found = _in_files(files, reaching.cluster) if files else []
    if files and not check:
        _print(_needed(found, reaching), Place(place), output)
        return
    async with reaching.open() as live:
        if not files:
            raws = await live.list_raw(Plural.CLUSTERS)
            found = [one for one in map(cluster_from_object, raws) if reaching.cluster in {"", one.name}]
        needed = _needed(found, reaching)
        if not check:
            _print(needed, Place(place), output)
            return
        with progress("comparing"):
            wrong = {needs.cluster: await _compared(live, one, needs) for one, needs in needed}
    _print_differences(wrong, output)


def _in_files(files: list[Path], name: str) -> list[Cluster]:
    found = [cluster_from_object(raw) for raw in read_kind(files, "SearchCluster")]
    return [one for one in found if name in {"", one.name}]


def _needed(clusters: list[Cluster], reaching: Reaching) -> list[tuple[Cluster, RealmNeeds]]:
    found = []
    for one in clusters:
        needs = needs_of(one, Operator(reaching.instance, ""))
        if needs is not None:
            found.append((one, needs))
        elif one.gateway:
            warn(f"SearchCluster {one.name} needs no realm: its callers are verified by a gateway")
        else:
            warn(f"SearchCluster {one.name} cannot be read: {one.invalid or one.fault}")
    if not found:
        raise failure(
            "there is no SearchCluster with a realm" + (f" named {reaching.cluster}" if reaching.cluster else "")
        )
    return found


def _print(needed: list[tuple[Cluster, RealmNeeds]], place: Place, output: Format) -> None:
    def shown() -> list[Any]:
        lines: list[Any] = []
        for _, needs in needed:
            request = f"PUT _security/role_mapping/{needs.mapping}\n{json.dumps(dict(needs.body), indent=2)}"
            text = "# The role mapping, which the operator writes itself if its login has the tier Full:"
            lines += [verbatim("\n".join(text_of(needs, place))), "", verbatim(text), verbatim(request), ""]
        return lines[:-1]

    emit(output, {"items": [needs.to_json() for _, needs in needed]}, shown)


async def _compared(live: Live, cluster: Cluster, needs: RealmNeeds) -> list[str]:
    client, realm = await live.elasticsearch(cluster.name), cluster.wanted_realm
    if realm is None:
        return []
    facts = await client.facts(realm)
    mappings = await client.mappings([needs.mapping])
    return differences(needs, realm, facts, mappings.get(needs.mapping))


def _print_differences(wrong: dict[str, list[str]], output: Format) -> None:
    items = [{"cluster": name, "wrong": lines} for name, lines in wrong.items()]

    def shown() -> list[Any]:
        text: list[Any] = []
        for name, lines in wrong.items():
            found = number_of(len(lines), "difference") if lines else "as it should be"
            text.append(f"SearchCluster {name}: {found}")
            text += [f"  {line}" for line in lines]
        return text

    emit(output, {"items": items}, shown)
    if any(wrong.values()):
        raise typer.Exit(int(Exit.PENDING))
