// Node.js 20 or newer. Elastic's client, with the workload's Google identity token on every request.
import { readFileSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";
import { Client, Transport, errors } from "@elastic/elasticsearch";

const RENEW_BEFORE = 225_000; // The metadata server hands out the same token until four minutes before it expires.
const RETRIES = 3;
const RETRIED = new Set([429, 502, 503, 504]);

class IdentityTokens {
  #audience;
  #token;
  #expires = 0;
  #fetching;

  constructor(audience) {
    this.#audience = audience;
  }

  async get() {
    if (this.#expires - Date.now() < RENEW_BEFORE) {
      try {
        await this.#renew();
      } catch (error) {
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
    const response = await fetch(
      `http://${host}/computeMetadata/v1/instance/service-accounts/default/identity?${query}`,
      { headers: { "Metadata-Flavor": "Google" }, signal: AbortSignal.timeout(5_000) },
    );
    if (!response.ok) throw new Error(`the metadata server gives no identity token: ${response.status}`);
    const token = await response.text();
    this.#expires = JSON.parse(Buffer.from(token.split(".")[1], "base64url")).exp * 1000;
    this.#token = token;
  }
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
        } else if (!isStream && retries < RETRIES && isTemporary(error)) {
          await pause(500 * 2 ** retries++ * (0.5 + Math.random()));
        } else {
          throw error;
        }
      }
    }
  }
};

function isTemporary(error) {
  return RETRIED.has(error.statusCode) || error instanceof errors.ConnectionError;
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
    requestTimeout: 30_000,
    maxRetries: 0, // The transport retries: the client's own way has no back-off after 503, and leaves 429 alone.
    Transport: identityTransport(new IdentityTokens(env.ELASTICSEARCH_AUDIENCE)),
  });
}
