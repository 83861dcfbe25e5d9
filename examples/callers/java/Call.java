// Java 17 or newer, no dependencies.
import java.io.IOException;
import java.io.InputStream;
import java.net.URI;
import java.net.URLEncoder;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyStore;
import java.security.cert.CertificateFactory;
import java.time.Duration;
import java.time.Instant;
import java.util.Base64;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import javax.net.ssl.SSLContext;
import javax.net.ssl.TrustManagerFactory;

public class Call {
    /** The metadata server hands out the same token until four minutes before its end. */
    private static final Duration RENEW_BEFORE = Duration.ofSeconds(225);
    private static final Pattern EXPIRY = Pattern.compile("\"exp\"\\s*:\\s*(\\d+)");
    private static final Map<String, String> ENVIRONMENT = System.getenv();

    private final HttpClient metadata = HttpClient.newBuilder().connectTimeout(Duration.ofSeconds(5)).build();
    private final HttpClient elasticsearch;
    private String token;
    private Instant ends = Instant.EPOCH;

    Call() throws GeneralSecurityException, IOException {
        var builder = HttpClient.newBuilder().connectTimeout(Duration.ofSeconds(10));
        var file = ENVIRONMENT.get("ELASTICSEARCH_CA");
        if (file != null) {
            builder.sslContext(trust(Path.of(file)));
        }
        elasticsearch = builder.build();
    }

    HttpResponse<String> search(String index) throws IOException, InterruptedException {
        var request = HttpRequest.newBuilder(
                URI.create(ENVIRONMENT.get("ELASTICSEARCH_URL") + "/" + index + "/_search?size=10"))
            .timeout(Duration.ofSeconds(30))
            .header("Authorization", "Bearer " + identityToken())
            .header("X-Opaque-Id", opaqueId());
        var secret = ENVIRONMENT.get("ELASTICSEARCH_CLIENT_SECRET");
        if (secret != null) {
            request.header("ES-Client-Authentication", "SharedSecret " + secret);
        }
        return elasticsearch.send(request.build(), BodyHandlers.ofString());
    }

    /** One fetch at a time, however many threads ask. */
    private synchronized String identityToken() throws IOException, InterruptedException {
        if (Instant.now().plus(RENEW_BEFORE).isAfter(ends)) {
            try {
                fetchToken();
            } catch (IOException error) {
                if (Instant.now().isAfter(ends)) {
                    throw error; // Else the old one is still good.
                }
            }
        }
        return token;
    }

    private void fetchToken() throws IOException, InterruptedException {
        var host = ENVIRONMENT.getOrDefault("GCE_METADATA_HOST", "metadata.google.internal");
        var audience = URLEncoder.encode(ENVIRONMENT.get("ELASTICSEARCH_AUDIENCE"), StandardCharsets.UTF_8);
        var response = metadata.send(
            HttpRequest.newBuilder(URI.create("http://" + host
                    + "/computeMetadata/v1/instance/service-accounts/default/identity?format=full&audience=" + audience))
                .header("Metadata-Flavor", "Google")
                .timeout(Duration.ofSeconds(5))
                .build(),
            BodyHandlers.ofString());
        if (response.statusCode() != 200) {
            throw new IOException("the metadata server gives no identity token: " + response.statusCode());
        }
        var claims = new String(Base64.getUrlDecoder().decode(response.body().split("\\.")[1]), StandardCharsets.UTF_8);
        Matcher expiry = EXPIRY.matcher(claims);
        if (!expiry.find()) {
            throw new IOException("the metadata server gives a token without an end");
        }
        token = response.body();
        ends = Instant.ofEpochSecond(Long.parseLong(expiry.group(1)));
    }

    private static String opaqueId() {
        return named("K_SERVICE", "K_REVISION")
            .or(() -> named("CLOUD_RUN_JOB", "CLOUD_RUN_EXECUTION"))
            .or(() -> named("CLOUD_RUN_WORKER_POOL", "CLOUD_RUN_WORKER_POOL_REVISION"))
            .orElse("unknown");
    }

    private static Optional<String> named(String workload, String version) {
        return Optional.ofNullable(ENVIRONMENT.get(workload)).map(name -> name + "/" + ENVIRONMENT.get(version));
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

    public static void main(String[] indices) throws Exception {
        var call = new Call();
        for (var index : indices) {
            var response = call.search(index);
            if (response.statusCode() != 200) {
                throw new IOException("Elasticsearch answers " + response.statusCode() + ": " + response.body());
            }
            System.out.println(response.body());
        }
    }
}
