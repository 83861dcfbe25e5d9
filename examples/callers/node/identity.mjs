// Node.js 20 or newer. Elastic's client, with the workload's Google identity token on every request.
import { readFileSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";
import { Client, Transport, errors } from "@elastic/elasticsearch";

const RENEW_BEFORE = 225_000; // The metadata server hands out the same token until four minutes before it expires.
const PAUSE_AFTER_FAILURE = 5_000; // While the old token is good.
const RETRIES = 3;
const NOT_EXECUTED = new Set([429, 503]);
const MAY_BE_EXECUTED = new Set([502, 504]);
const TOKEN = /^[\w=-]+\.[\w=-]+\.[\w=-]+$/;
const READ = /^(\/[^/]+)?\/(_search|_msearch|_count|_mget)$/;

class IdentityTokens {
  #audience;
  #token;
  #expires = 0;
  #failed = 0;
  #fetching;

  constructor(audience) {
    this.#audience = audience;
  }

  async get() {
    const left = this.#expires - Date.now();
    if (left < RENEW_BEFORE && (left <= 0 || Date.now() - this.#failed > PAUSE_AFTER_FAILURE)) {
      try {
        await this.#renew();
      } catch (error) {
        this.#failed = Date.now();
        if (this.#expires <= Date.now()) throw error; // Else the old one is still good.
      }
    }
    return this.#token;
  }

  /** Whether there is another token than the one that Elasticsearch refused. */
  async another(refused) {
    if (this.#token === refused) await this.#renew().catch(() => {});
    return this.#token !== refused;
  }

  #renew() {
    this.#fetching ??= this.#fetch().finally(() => { this.#fetching = undefined; }); // One at a time.
    return this.#fetching;
  }

  async #fetch() {
    const host = process.env.GCE_METADATA_HOST ?? "metadata.google.internal";
    const query = new URLSearchParams({ audience: this.#audience, format: "full" });
    const url = `http://${host}/computeMetadata/v1/instance/service-accounts/default/identity?${query}`;
    let response, token;
    try {
      response = await fetch(url, { headers: { "Metadata-Flavor": "Google" }, signal: AbortSignal.timeout(5_000) });
      token = (await response.text()).trim();
    } catch (error) {
      throw new Error(`no identity token: the metadata server does not answer: ${error.cause?.code ?? error.name}`);
    }
    if (!response.ok) throw new Error(`no identity token: the metadata server answers ${response.status}`);
    this.#expires = expiry(token);
    this.#token = token;
  }
}

function expiry(token) {
  let expires;
  try {
    if (TOKEN.test(token)) expires = JSON.parse(Buffer.from(token.split(".")[1], "base64url")).exp;
  } catch { /* Its text would show what was answered. */ }
  if (!Number.isFinite(expires)) throw new Error("no identity token: the metadata server answers something else");
  return expires * 1000;
}

const identityTransport = (tokens) => class extends Transport {
  async request(params, options = {}) {
    const isStream = typeof (params.body ?? params.bulkBody)?.pipe === "function"; // Can be sent once only.
    for (let retries = 0, renewed = isStream; ;) {
      const token = await tokens.get();
      const headers = { ...options.headers, authorization: `Bearer ${token}` };
      try {
        return await super.request(params, { ...options, headers });
      } catch (error) {
        if (error.statusCode === 401 && !renewed && await tokens.another(token)) {
          renewed = true;
        } else if (!isStream && retries < RETRIES && mayBeSentAgain(error, isRead(params))) {
          await pause(500 * 2 ** retries++ * (0.5 + Math.random()));
        } else {
          throw error;
        }
      }
    }
  }
};

function isRead({ method, path }) {
  return method === "GET" || method === "HEAD" || (method === "POST" && READ.test(path));
}

/** A write only if it cannot have been executed. */
function mayBeSentAgain(error, read) {
  if (error instanceof errors.ConnectionError) {
    return read || /^(connect|getaddrinfo) |Connect Timeout Error/.test(error.message);
  }
  return NOT_EXECUTED.has(error.statusCode) || (read && MAY_BE_EXECUTED.has(error.statusCode));
}

function opaqueId(env) {
  if (env.K_SERVICE) return { "x-opaque-id": `${env.K_SERVICE}/${env.K_REVISION}` };
  if (env.CLOUD_RUN_JOB) return { "x-opaque-id": `${env.CLOUD_RUN_JOB}/${env.CLOUD_RUN_EXECUTION}` };
  if (env.CLOUD_RUN_WORKER_POOL) {
    return { "x-opaque-id": `${env.CLOUD_RUN_WORKER_POOL}/${env.CLOUD_RUN_WORKER_POOL_REVISION}` };
  }
  return {};
}

export function connect(env = process.env) {
  if (new URL(env.ELASTICSEARCH_URL).protocol !== "https:") {
    throw new Error("ELASTICSEARCH_URL must begin with https: tokens are bearer tokens");
  }
  const secret = env.ELASTICSEARCH_CLIENT_SECRET;
  return new Client({
    node: env.ELASTICSEARCH_URL,
    tls: env.ELASTICSEARCH_CA ? { ca: readFileSync(env.ELASTICSEARCH_CA) } : {},
    headers: { ...opaqueId(env), ...(secret ? { "es-client-authentication": `SharedSecret ${secret}` } : {}) },
    redaction: { type: "replace", additionalKeys: ["es-client-authentication"] }, // What errors show.
    requestTimeout: 1000 * (env.ELASTICSEARCH_TIMEOUT ?? 30),
    maxRetries: 0, // The transport retries: the client's own way has no backoff after 503, and leaves 429 alone.
    Transport: identityTransport(new IdentityTokens(env.ELASTICSEARCH_AUDIENCE)),
  });
}
