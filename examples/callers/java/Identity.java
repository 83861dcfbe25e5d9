import co.elastic.clients.json.jackson.JacksonJsonpMapper;
import co.elastic.clients.transport.ElasticsearchTransport;
import co.elastic.clients.transport.ElasticsearchTransportBase;
import co.elastic.clients.transport.TransportOptions;
import co.elastic.clients.transport.http.TransportHttpClient;
import co.elastic.clients.transport.rest_client.RestClientHttpClient;
import com.google.auth.oauth2.IdToken;
import com.google.auth.oauth2.IdTokenCredentials;
import java.io.IOException;
import java.io.InputStream;
import java.io.InterruptedIOException;
import java.net.ConnectException;
import java.net.SocketException;
import java.net.URI;
import java.net.URLEncoder;
import java.net.UnknownHostException;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyStore;
import java.security.cert.CertificateFactory;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.ThreadLocalRandom;
import java.util.regex.Pattern;
import javax.net.ssl.SSLContext;
import javax.net.ssl.TrustManagerFactory;
import org.apache.http.ConnectionClosedException;
import org.apache.http.Header;
import org.apache.http.HttpHost;
import org.apache.http.conn.ConnectTimeoutException;
import org.apache.http.message.BasicHeader;
import org.elasticsearch.client.ResponseException;
import org.elasticsearch.client.RestClient;

/** Elastic's client, with the workload's Google identity token on every request. Java 17 or newer. */
public final class Identity implements TransportHttpClient {
    /** Elastic's client itself tries another node after some of these, without a pause. */
    private static final Set<Integer> NOT_EXECUTED = Set.of(429, 503);
    private static final Set<Integer> MAY_BE_EXECUTED = Set.of(502, 504);
    private static final Pattern READ = Pattern.compile("(/[^/]+)?/(_search|_msearch|_count|_mget)");
    private static final int RETRIES = 3;

    private static final HttpClient METADATA = HttpClient.newBuilder()
        .version(HttpClient.Version.HTTP_1_1)
        .proxy(HttpClient.Builder.NO_PROXY)
        .connectTimeout(Duration.ofSeconds(5))
        .build();

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
        var timeout = (int) (1000 * Double.parseDouble(environment.getOrDefault("ELASTICSEARCH_TIMEOUT", "30")));
        var builder = RestClient.builder(address)
            .setDefaultHeaders(headers(environment))
            .setRequestConfigCallback(config ->
                config.setConnectTimeout(5_000).setSocketTimeout(timeout).setRedirectsEnabled(false));
        var authority = environment.get("ELASTICSEARCH_CA");
        if (authority != null) {
            var trusted = trust(Path.of(authority));
            builder.setHttpClientConfigCallback(client -> client.setSSLContext(trusted));
        }
        var credentials = IdTokenCredentials.newBuilder()
            .setIdTokenProvider((audience, options) -> fetch(audience, environment))
            .setTargetAudience(environment.get("ELASTICSEARCH_AUDIENCE"))
            .build();
        var identity = new Identity(new RestClientHttpClient(builder.build()), credentials);
        return new ElasticsearchTransportBase(identity, null, new JacksonJsonpMapper()) { };
    }

    @Override
    public Response performRequest(String endpoint, Node node, Request request, TransportOptions options)
            throws IOException {
        var renewed = false;
        for (var retries = 0; ; ) {
            credentials.refreshIfExpired(); // One at a time, however many threads there are.
            var token = credentials.getAccessToken().getTokenValue();
            try {
                var response = elasticsearch.performRequest(endpoint, node, authorized(request, token), options);
                if (response.statusCode() != 401 || renewed || !hasAnother(token)) {
                    return response;
                }
                renewed = true;
                response.close();
            } catch (IOException error) {
                if (retries == RETRIES || !mayBeSentAgain(error, isRead(request))) {
                    throw error;
                }
                pause(500L << retries++);
            }
        }
    }

    private static boolean isRead(Request request) {
        return switch (request.method()) {
            case "GET", "HEAD" -> true;
            case "POST" -> READ.matcher(request.path()).matches();
            default -> false;
        };
    }

    /** A write only if it cannot have been executed. */
    private static boolean mayBeSentAgain(IOException error, boolean read) {
        if (error instanceof ResponseException answer) { // How Elastic's client reports most statuses from 400.
            var status = answer.getResponse().getStatusLine().getStatusCode();
            return NOT_EXECUTED.contains(status) || (read && MAY_BE_EXECUTED.contains(status));
        }
        if (error instanceof ConnectException
                || error instanceof ConnectTimeoutException
                || error instanceof UnknownHostException) {
            return true;
        }
        return read && (error instanceof ConnectionClosedException || error instanceof SocketException);
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

    /** Google's ComputeEngineCredentials do the same, but wait up to 20 s, and their errors show what was answered. */
    private static IdToken fetch(String audience, Map<String, String> environment) throws IOException {
        var url = "http://" + environment.getOrDefault("GCE_METADATA_HOST", "metadata.google.internal")
            + "/computeMetadata/v1/instance/service-accounts/default/identity?format=full&audience="
            + URLEncoder.encode(audience, StandardCharsets.UTF_8);
        var request = HttpRequest.newBuilder(URI.create(url))
            .header("Metadata-Flavor", "Google")
            .timeout(Duration.ofSeconds(5))
            .build();
        HttpResponse<String> response;
        try {
            response = METADATA.send(request, HttpResponse.BodyHandlers.ofString());
        } catch (IOException error) {
            throw new IOException("no identity token: the metadata server does not answer", error);
        } catch (InterruptedException error) {
            Thread.currentThread().interrupt();
            throw new InterruptedIOException();
        }
        if (response.statusCode() != 200) {
            throw new IOException("no identity token: the metadata server answers " + response.statusCode());
        }
        try {
            return IdToken.create(response.body().strip());
        } catch (IOException | RuntimeException error) {
            throw new IOException("no identity token: the metadata server answers something else");
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
