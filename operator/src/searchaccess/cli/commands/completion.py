"""``searchaccess completion``."""

from enum import StrEnum
from typing import Annotated, Final

import typer

from searchaccess.cli.helptexts import block, epilog, exit_codes


class Shell(StrEnum):
    """Shells that complete commands."""

    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"


EPILOG: Final = epilog(
    exit_codes("it was printed", "it could not be printed"),
    block(
        "Examples",
        "# In this shell:",
        "source <(searchaccess completion bash)",
        "# In every new shell:",
        'searchaccess completion zsh > "${fpath[1]}/_searchaccess"',
        "searchaccess completion fish > ~/.config/fish/completions/searchaccess.fish",
    ),
)
_SCRIPTS: Final = {
    Shell.BASH: """\
_searchaccess_completion() {
  local IFS=$'\\n'
  COMPREPLY=($(COMP_WORDS="${COMP_WORDS[*]}" COMP_CWORD=$COMP_CWORD _SEARCHACCESS_COMPLETE=complete_bash "$1"))
}
complete -o default -F _searchaccess_completion searchaccess
""",
    Shell.ZSH: """\
#compdef searchaccess
_searchaccess_completion() {
  eval "$(_TYPER_COMPLETE_ARGS="${words[1,$CURRENT]}" _SEARCHACCESS_COMPLETE=complete_zsh searchaccess)"
}
if [ "$funcstack[1]" = "_searchaccess" ]; then
  _searchaccess_completion "$@"
else
  compdef _searchaccess_completion searchaccess
fi
""",
    Shell.FISH: """\
function __searchaccess_complete
  _SEARCHACCESS_COMPLETE=complete_fish _TYPER_COMPLETE_FISH_ACTION=$argv[1] \\
    _TYPER_COMPLETE_ARGS=(commandline -cp | string collect) searchaccess
end
complete --command searchaccess --no-files --condition '__searchaccess_complete is-args' \\
  --arguments '(__searchaccess_complete get-args)'
""",
}


def command(shell: Annotated[Shell, typer.Argument(help="The shell.", show_default=False)]) -> None:
    """Print the script that completes the commands and options of searchaccess in a shell.

    kubectl 1.26 and later complete `kubectl searchaccess` too, if kubectl_complete-searchaccess is in PATH.
    """
    typer.echo(_SCRIPTS[shell], nl=False)
