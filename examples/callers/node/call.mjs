// Node.js 20 or newer, no packages. NODE_EXTRA_CA_CERTS names the file with Elasticsearch's certificate authority.
const {
  ELASTICSEARCH_URL, ELASTICSEARCH_AUDIENCE, ELASTICSEARCH_CLIENT_SECRET,
  GCE_METADATA_HOST = "metadata.google.internal",
} = process.env;
const RENEW_BEFORE = 225_000; // The metadata server hands out the same token until four minutes before its end.

let token, ends = 0, fetching;

async function fetchToken() {
  const query = new URLSearchParams({ audience: ELASTICSEARCH_AUDIENCE, format: "full" });
  const response = await fetch(
    `http://${GCE_METADATA_HOST}/computeMetadata/v1/instance/service-accounts/default/identity?${query}`,
    { headers: { "Metadata-Flavor": "Google" }, signal: AbortSignal.timeout(5_000) },
  );
  if (!response.ok) throw new Error(`the metadata server gives no identity token: ${response.status}`);
  token = await response.text();
  ends = JSON.parse(Buffer.from(token.split(".")[1], "base64url")).exp * 1000;
}

async function identityToken() {
  if (ends - Date.now() < RENEW_BEFORE) {
    fetching ??= fetchToken().finally(() => { fetching = undefined; }); // One at a time, however many ask.
    try {
      await fetching;
    } catch (error) {
      if (ends <= Date.now()) throw error; // Else the old one is still good.
    }
  }
  return token;
}

function opaqueId(env = process.env) {
  if (env.K_SERVICE) return `${env.K_SERVICE}/${env.K_REVISION}`;
  if (env.CLOUD_RUN_JOB) return `${env.CLOUD_RUN_JOB}/${env.CLOUD_RUN_EXECUTION}`;
  if (env.CLOUD_RUN_WORKER_POOL) return `${env.CLOUD_RUN_WORKER_POOL}/${env.CLOUD_RUN_WORKER_POOL_REVISION}`;
  return "unknown";
}

async function elasticsearch(method, path, body) {
  const headers = {
    Authorization: `Bearer ${await identityToken()}`,
    "Content-Type": "application/json",
    "X-Opaque-Id": opaqueId(),
  };
  if (ELASTICSEARCH_CLIENT_SECRET) {
    headers["ES-Client-Authentication"] = `SharedSecret ${ELASTICSEARCH_CLIENT_SECRET}`;
  }
  const response = await fetch(`${ELASTICSEARCH_URL}${path}`, {
    method, headers, body: JSON.stringify(body), redirect: "error", signal: AbortSignal.timeout(30_000),
  });
  if (!response.ok) throw new Error(`Elasticsearch answers ${response.status}: ${await response.text()}`);
  return response.json();
}

for (const index of process.argv.slice(2)) {
  console.log(JSON.stringify(await elasticsearch("POST", `/${index}/_search`, { size: 10 })));
}
