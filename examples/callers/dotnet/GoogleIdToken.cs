// Puts the workload's Google identity token on every request of an HttpClient, and retries what can be retried.
using System;
using System.IO;
using System.Net;
using System.Net.Http;
using System.Net.Http.Headers;
using System.Net.Sockets;
using System.Runtime.Serialization;
using System.Runtime.Serialization.Json;
using System.Security.Authentication;
using System.Text.RegularExpressions;
using System.Threading;
using System.Threading.Tasks;

/// <summary>The workload's identity token, renewed before it expires. Share one among all handlers.</summary>
public sealed class IdentityTokens
{
    // The metadata server returns the same token until about four minutes before it expires.
    private static readonly TimeSpan RenewBefore = TimeSpan.FromSeconds(225);
    private static readonly TimeSpan PauseAfterFailure = TimeSpan.FromSeconds(5); // While the old token is valid.
    private static readonly Regex Jwt = new Regex(@"\A[A-Za-z0-9_-]+\.([A-Za-z0-9_-]+)\.[A-Za-z0-9_-]+\z");
    private static readonly HttpClient Metadata =
        new HttpClient(new HttpClientHandler { UseProxy = false, AllowAutoRedirect = false })
        {
            Timeout = TimeSpan.FromSeconds(5),
        };

    private readonly SemaphoreSlim oneAtATime = new SemaphoreSlim(1, 1);
    private readonly string url;
    private string token;
    private DateTimeOffset expires = DateTimeOffset.MinValue;
    private DateTimeOffset failed = DateTimeOffset.MinValue;
    private string failure;

    public IdentityTokens(string audience)
    {
        var host = Environment.GetEnvironmentVariable("GCE_METADATA_HOST") ?? "metadata.google.internal";
        url = "http://" + host + "/computeMetadata/v1/instance/service-accounts/default/identity?format=full&audience="
            + Uri.EscapeDataString(audience);
    }

    /// <summary>Returns a token that is valid now.</summary>
    public async Task<string> GetAsync(CancellationToken cancellation)
    {
        var asked = DateTimeOffset.UtcNow;
        await oneAtATime.WaitAsync(cancellation).ConfigureAwait(false);
        try
        {
            var now = DateTimeOffset.UtcNow;
            var left = expires - now;
            if (left > RenewBefore || (left > TimeSpan.Zero && now - failed < PauseAfterFailure))
            {
                return token;
            }
            if (failed <= asked) // Otherwise it failed while this request waited.
            {
                await FetchAsync().ConfigureAwait(false);
            }
            if (expires > DateTimeOffset.UtcNow)
            {
                return token;
            }
            throw new HttpRequestException("no identity token: " + failure);
        }
        finally
        {
            oneAtATime.Release();
        }
    }

    /// <summary>Returns whether there is another token than the one that Elasticsearch refused.</summary>
    public async Task<bool> HasAnotherAsync(string refused, CancellationToken cancellation)
    {
        await oneAtATime.WaitAsync(cancellation).ConfigureAwait(false);
        try
        {
            if (token == refused)
            {
                await FetchAsync().ConfigureAwait(false);
            }
            return token != refused;
        }
        finally
        {
            oneAtATime.Release();
        }
    }

    // The token is for all: it is fetched even if the request that asked first is canceled.
    private async Task FetchAsync()
    {
        try
        {
            using (var request = new HttpRequestMessage(HttpMethod.Get, url))
            {
                request.Headers.Add("Metadata-Flavor", "Google");
                using (var response = await Metadata.SendAsync(request).ConfigureAwait(false))
                {
                    if (response.StatusCode != HttpStatusCode.OK)
                    {
                        Failed("the metadata server answers " + (int)response.StatusCode);
                        return;
                    }
                    var text = (await response.Content.ReadAsStringAsync().ConfigureAwait(false)).Trim();
                    expires = Expiry(text);
                    token = text;
                }
            }
        }
        catch (Exception error) when (error is HttpRequestException || error is OperationCanceledException)
        {
            Failed("the metadata server does not answer");
        }
        catch (Exception error) when (error is FormatException || error is SerializationException
            || error is ArgumentOutOfRangeException)
        {
            Failed("the metadata server answers something else"); // Their messages may show parts of it.
        }
    }

    private void Failed(string why)
    {
        failed = DateTimeOffset.UtcNow;
        failure = why;
    }

    private static DateTimeOffset Expiry(string token)
    {
        var match = Jwt.Match(token);
        if (!match.Success)
        {
            throw new FormatException();
        }
        var payload = match.Groups[1].Value.Replace('-', '+').Replace('_', '/');
        var bytes = Convert.FromBase64String(payload.PadRight((payload.Length + 3) / 4 * 4, '='));
        using (var stream = new MemoryStream(bytes))
        {
            var claims = (Claims)new DataContractJsonSerializer(typeof(Claims)).ReadObject(stream);
            return DateTimeOffset.FromUnixTimeSeconds(claims.Expires);
        }
    }

    [DataContract]
    private sealed class Claims
    {
        [DataMember(Name = "exp", IsRequired = true)]
        public long Expires { get; set; }
    }
}

/// <summary>Adds the token to each request. Use the asynchronous methods of the HttpClient.</summary>
public sealed class GoogleIdToken : DelegatingHandler
{
    private const int Retries = 3;
    private static readonly Regex Search = new Regex(@"\A(/[^/]+)?/(_search|_msearch|_count|_mget)\z");
    private static readonly Random Jitter = new Random();

    private readonly IdentityTokens tokens;
    private readonly string opaqueId = OpaqueId();
    private readonly string secret = Environment.GetEnvironmentVariable("ELASTICSEARCH_CLIENT_SECRET");

    /// <param name="tokens">The same for all handlers of the process.</param>
    /// <param name="inner">Sends the requests. It must not follow redirects.</param>
    public GoogleIdToken(IdentityTokens tokens, HttpMessageHandler inner) : base(inner)
    {
        this.tokens = tokens;
    }

    protected override async Task<HttpResponseMessage> SendAsync(
        HttpRequestMessage request, CancellationToken cancellation)
    {
        if (request.RequestUri.Scheme != "https")
        {
            throw new InvalidOperationException("the address must begin with https: tokens are bearer tokens");
        }
        if (opaqueId != null)
        {
            request.Headers.TryAddWithoutValidation("X-Opaque-Id", opaqueId);
        }
        if (secret != null)
        {
            request.Headers.TryAddWithoutValidation("ES-Client-Authentication", "SharedSecret " + secret);
        }
        if (request.Content != null)
        {
            await request.Content.LoadIntoBufferAsync().ConfigureAwait(false); // So that it can be sent again.
        }
        var isRead = IsRead(request);
        var renewed = false;
        for (var retries = 0; ; )
        {
            var token = await tokens.GetAsync(cancellation).ConfigureAwait(false);
            request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", token);
            try
            {
                var response = await base.SendAsync(request, cancellation).ConfigureAwait(false);
                if (response.StatusCode == HttpStatusCode.Unauthorized && !renewed
                    && await tokens.HasAnotherAsync(token, cancellation).ConfigureAwait(false))
                {
                    renewed = true;
                    response.Dispose();
                    continue;
                }
                if (retries == Retries || !MayBeSentAgain((int)response.StatusCode, isRead))
                {
                    return response;
                }
                response.Dispose();
            }
            catch (HttpRequestException error) when (retries < Retries && MayBeSentAgain(error, isRead))
            {
            }
            await Task.Delay(Pause(retries++), cancellation).ConfigureAwait(false);
        }
    }

#if NET5_0_OR_GREATER
    protected override HttpResponseMessage Send(HttpRequestMessage request, CancellationToken cancellation)
    {
        throw new NotSupportedException("use the asynchronous methods: the others would send no token");
    }
#endif

    private static bool IsRead(HttpRequestMessage request)
    {
        return request.Method == HttpMethod.Get || request.Method == HttpMethod.Head
            || (request.Method == HttpMethod.Post && Search.IsMatch(request.RequestUri.AbsolutePath));
    }

    // A write only if it cannot have been executed.
    private static bool MayBeSentAgain(int status, bool isRead)
    {
        return status == 429 || status == 503 || (isRead && (status == 502 || status == 504));
    }

    private static bool MayBeSentAgain(Exception error, bool isRead)
    {
        for (var cause = error; cause != null; cause = cause.InnerException)
        {
            if (cause is AuthenticationException) // The certificate is not trusted.
            {
                return false;
            }
            var socket = cause as SocketException;
            if (socket != null && (socket.SocketErrorCode == SocketError.ConnectionRefused
                || socket.SocketErrorCode == SocketError.HostNotFound
                || socket.SocketErrorCode == SocketError.TryAgain))
            {
                return true;
            }
        }
        return isRead;
    }

    private static TimeSpan Pause(int retries)
    {
        lock (Jitter)
        {
            return TimeSpan.FromSeconds(0.5 * (1 << retries) * (0.5 + Jitter.NextDouble()));
        }
    }

    private static string OpaqueId()
    {
        return Named("K_SERVICE", "K_REVISION")
            ?? Named("CLOUD_RUN_JOB", "CLOUD_RUN_EXECUTION")
            ?? Named("CLOUD_RUN_WORKER_POOL", "CLOUD_RUN_WORKER_POOL_REVISION");
    }

    private static string Named(string workload, string version)
    {
        var name = Environment.GetEnvironmentVariable(workload);
        return name == null ? null : name + "/" + Environment.GetEnvironmentVariable(version);
    }
}
