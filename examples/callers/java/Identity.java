import co.elastic.clients.json.jackson.JacksonJsonpMapper;
import co.elastic.clients.transport.ElasticsearchTransport;
import co.elastic.clients.transport.ElasticsearchTransportBase;
import co.elastic.clients.transport.TransportOptions;
import co.elastic.clients.transport.http.TransportHttpClient;
import co.elastic.clients.transport.rest_client.RestClientHttpClient;
import com.google.auth.oauth2.ComputeEngineCredentials;
import com.google.auth.oauth2.IdTokenCredentials;
import com.google.auth.oauth2.IdTokenProvider;
import java.io.IOException;
import java.io.InputStream;
import java.io.InterruptedIOException;
import java.net.ConnectException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyStore;
import java.security.cert.CertificateFactory;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.ThreadLocalRandom;
import javax.net.ssl.SSLContext;
import javax.net.ssl.TrustManagerFactory;
import org.apache.http.Header;
import org.apache.http.HttpHost;
import org.apache.http.conn.ConnectTimeoutException;
import org.apache.http.message.BasicHeader;
import org.elasticsearch.client.ResponseException;
import org.elasticsearch.client.RestClient;

/** Elastic's client, with the workload's Google identity token on every request. Java 17 or newer. */
public final class Identity implements TransportHttpClient {
    /** Elastic's client itself tries another node after some of these, without a pause. */
    private static final Set<Integer> RETRIED = Set.of(429, 502, 503, 504);
    private static final int RETRIES = 3;

    private final TransportHttpClient elasticsearch;
    /** Google's library renews the token when less than 3 min 45 s are left. */
    private final IdTokenCredentials credentials;
    private final ExecutorService asynchronous = Executors.newCachedThreadPool(task -> {
        var thread = new Thread(task, "elasticsearch");
        thread.setDaemon(true);
        return thread;
    });

    private Identity(TransportHttpClient elasticsearch, IdTokenCredentials credentials) {
        this.elasticsearch = elasticsearch;
        this.credentials = credentials;
    }

    /** For an ElasticsearchClient or ElasticsearchAsyncClient: https only, redirects are not followed. */
    public static ElasticsearchTransport connect(Map<String, String> environment)
            throws GeneralSecurityException, IOException {
        var address = HttpHost.create(environment.get("ELASTICSEARCH_URL"));
        if (!address.getSchemeName().equals("https")) {
            throw new IllegalArgumentException("ELASTICSEARCH_URL must begin with https: tokens are bearer tokens");
        }
        var builder = RestClient.builder(address)
            .setDefaultHeaders(headers(environment))
            .setRequestConfigCallback(config ->
                config.setConnectTimeout(5_000).setSocketTimeout(30_000).setRedirectsEnabled(false));
        var authority = environment.get("ELASTICSEARCH_CA");
        if (authority != null) {
            var trusted = trust(Path.of(authority));
            builder.setHttpClientConfigCallback(client -> client.setSSLContext(trusted));
        }
        var credentials = IdTokenCredentials.newBuilder()
            .setIdTokenProvider(ComputeEngineCredentials.create())
            .setTargetAudience(environment.get("ELASTICSEARCH_AUDIENCE"))
            .setOptions(List.of(IdTokenProvider.Option.FORMAT_FULL))
            .build();
        var identity = new Identity(new RestClientHttpClient(builder.build()), credentials);
        return new ElasticsearchTransportBase(identity, null, new JacksonJsonpMapper()) { };
    }

    @Override
    public Response performRequest(String endpoint, Node node, Request request, TransportOptions options)
            throws IOException {
        var renewed = false;
        for (var retries = 0; ; ) {
            credentials.refreshIfExpired();
            var token = credentials.getAccessToken().getTokenValue();
            try {
                var response = elasticsearch.performRequest(endpoint, node, authorized(request, token), options);
                if (response.statusCode() != 401 || renewed || !hasAnother(token)) {
                    return response;
                }
                renewed = true;
                response.close();
            } catch (ResponseException error) { // How Elastic's client reports most statuses from 400.
                if (!RETRIED.contains(error.getResponse().getStatusLine().getStatusCode()) || retries == RETRIES) {
                    throw error;
                }
                pause(500L << retries++);
            } catch (ConnectException | ConnectTimeoutException error) { // Nothing was sent.
                if (retries == RETRIES) {
                    throw error;
                }
                pause(500L << retries++);
            }
        }
    }

    @Override
    public CompletableFuture<Response> performRequestAsync(
            String endpoint, Node node, Request request, TransportOptions options) {
        return CompletableFuture.supplyAsync(() -> {
            try {
                return performRequest(endpoint, node, request, options);
            } catch (IOException error) {
                throw new CompletionException(error);
            }
        }, asynchronous);
    }

    @Override
    public TransportOptions createOptions(TransportOptions options) {
        return elasticsearch.createOptions(options);
    }

    @Override
    public void close() throws IOException {
        asynchronous.shutdown();
        elasticsearch.close();
    }

    private static Request authorized(Request request, String token) {
        var headers = new HashMap<>(request.headers());
        headers.put("Authorization", "Bearer " + token);
        return new Request(request.method(), request.path(), request.queryParams(), headers, request.body());
    }

    /** Whether there is another token than the one that Elasticsearch refused. */
    private synchronized boolean hasAnother(String refused) {
        try {
            if (credentials.getAccessToken().getTokenValue().equals(refused)) {
                credentials.refresh();
            }
            return !credentials.getAccessToken().getTokenValue().equals(refused);
        } catch (IOException error) {
            return false;
        }
    }

    private static void pause(long milliseconds) throws IOException {
        try {
            Thread.sleep(milliseconds / 2 + ThreadLocalRandom.current().nextLong(milliseconds));
        } catch (InterruptedException error) {
            Thread.currentThread().interrupt();
            throw new InterruptedIOException();
        }
    }

    private static Header[] headers(Map<String, String> environment) {
        var headers = new ArrayList<Header>();
        named(environment, "K_SERVICE", "K_REVISION")
            .or(() -> named(environment, "CLOUD_RUN_JOB", "CLOUD_RUN_EXECUTION"))
            .or(() -> named(environment, "CLOUD_RUN_WORKER_POOL", "CLOUD_RUN_WORKER_POOL_REVISION"))
            .ifPresent(name -> headers.add(new BasicHeader("X-Opaque-Id", name)));
        var secret = environment.get("ELASTICSEARCH_CLIENT_SECRET");
        if (secret != null) {
            headers.add(new BasicHeader("ES-Client-Authentication", "SharedSecret " + secret));
        }
        return headers.toArray(Header[]::new);
    }

    private static Optional<String> named(Map<String, String> environment, String workload, String version) {
        return Optional.ofNullable(environment.get(workload)).map(name -> name + "/" + environment.get(version));
    }

    private static SSLContext trust(Path file) throws GeneralSecurityException, IOException {
        var store = KeyStore.getInstance(KeyStore.getDefaultType());
        store.load(null, null);
        try (InputStream pem = Files.newInputStream(file)) {
            for (var certificate : CertificateFactory.getInstance("X.509").generateCertificates(pem)) {
                store.setCertificateEntry("elasticsearch-" + store.size(), certificate);
            }
        }
        var factory = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
        factory.init(store);
        var context = SSLContext.getInstance("TLS");
        context.init(null, factory.getTrustManagers(), null);
        return context;
    }
}
