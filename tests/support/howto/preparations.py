"""What a page takes for granted beside the examples: what others did before its reader begins."""

from typing import Final

_ORDERS: Final = """\
apiVersion: searchaccess.dev/v1alpha1
kind: SearchAccess
metadata:
  namespace: shop
  name: orders-reader
spec:
  cluster: prod
  subject:
    serviceAccount: shop-web@acme-shop.iam.gserviceaccount.com
  grants:
    - indices: ["{pattern}"]
      can: [read]
"""
_LEGACY: Final = """\
kubectl apply -f examples/legacy.yaml
kubectl wait --for=condition=Ready searchaccess/orders-legacy -n shop --timeout=60s
"""
_WHERE: Final = "      where: {term: {region: eu}}\n"
_LOGS: Final = '"$HOWTO_PYTHON" -m tests.support.howto.auditlogs'
_JSON: Final = "-H 'Content-Type: application/json'"

PREPARATIONS: Final[dict[str, str]] = {
    "docs/plan.md": f"""\
mkdir manifests
cat > manifests/orders.yaml <<'END'
{_ORDERS.format(pattern="orders-*")}{_WHERE}END
git init --quiet
git add manifests
git -c user.name=test -c user.email=test@example.com -c commit.gpgsign=false commit --quiet --message base
git update-ref refs/remotes/origin/main HEAD
sed -i '/where:/d' manifests/orders.yaml
""",
    "docs/lint.md": f"""\
mkdir manifests
cat > manifests/orders.yaml <<'END'
{_ORDERS.format(pattern="*")}END
""",
    "docs/audit.md": f'folder=$PWD; (cd "$HOWTO_ROOT" && {_LOGS} "$folder")\n',
    "docs/status.md": _LEGACY,
    "docs/credentials.md": _LEGACY,
    "docs/approvals.md": "kubectl apply -n shop -f deploy/team.yaml\n",
    "docs/admission.md": """\
mkdir policies
cat > policies/own-indices.yaml <<'END'
apiVersion: searchaccess.dev/v1alpha1
kind: SearchAccessPolicy
metadata:
  name: own-indices
spec:
  mode: Audit
  match:
    namespaces: {names: [shop]}
  allow:
    - indices: ["{namespace}-*", "/orders-[0-9]+/"]
      can: [read]
END
""",
    "docs/jobs.md": f"""\
export OBSERVER_USERNAME=observer OBSERVER_PASSWORD=only-for-tests-and-the-demo
searchaccess login --tier Observe |
  curl -sS -n --fail-with-body -X PUT "$ES/_security/role/observer" {_JSON} -d @-
curl -sS -n --fail-with-body -X PUT "$ES/_security/user/observer" {_JSON} \
  -d "{{\\"password\\": \\"$OBSERVER_PASSWORD\\", \\"roles\\": [\\"observer\\"]}}"
mkdir manifests
cat > manifests/orders.yaml <<'END'
{_ORDERS.format(pattern="orders-2026")}END
""",
    "docs/exclusive.md": f"""\
curl -sS -n --fail-with-body -X PUT "$ES/_security/role_mapping/ops" {_JSON} -d '
  {{"enabled": true, "roles": ["superuser"], "rules": {{"field": {{"username": "shop-web@*"}}}}}}'
""",
}
"""Lines for a shell, by the page."""
