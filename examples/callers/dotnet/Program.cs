// Elastic's client, with the workload's Google identity token on every request. No test compiles this file.
using System;
using System.Globalization;
using System.Linq;
using System.Net.Http;
using System.Security.Cryptography.X509Certificates;
using Elastic.Clients.Elasticsearch;
using Elastic.Clients.Elasticsearch.Core.Bulk;
using Elastic.Transport;

var client = Connect();
if (args is ["--write", var target])
{
    var written = await client.BulkAsync(new BulkRequest(target)
    {
        Operations = new BulkOperationsCollection
        {
            new BulkIndexOperation<Order>(new Order(1)) { Id = "order-1" },
            new BulkIndexOperation<Order>(new Order(2)) { Id = "order-2" },
        },
    });
    if (written.Errors) // The status of the whole is 200 all the same.
    {
        var reasons = written.ItemsWithErrors.Select(item => item.Error?.Reason);
        Console.Error.WriteLine($"refused: {string.Join("; ", reasons)}");
        return 1;
    }
    Console.WriteLine($"{written.Items.Count} written");
    return 0;
}
foreach (var index in args)
{
    var found = await client.SearchAsync<Order>(new SearchRequest(index) { Size = 10 });
    Console.WriteLine($"{index}: {string.Join(", ", found.Documents)}");
}
return 0;

static ElasticsearchClient Connect()
{
    var tokens = new IdentityTokens(Required("ELASTICSEARCH_AUDIENCE"));
    var timeout = Environment.GetEnvironmentVariable("ELASTICSEARCH_TIMEOUT") ?? "30";
    // The transport makes a new handler every few minutes, so that it follows DNS. They share the token.
    var invoker = new HttpRequestInvoker((_, _) => new GoogleIdToken(tokens, Sender()));
    var settings = new ElasticsearchClientSettings(new SingleNodePool(new Uri(Required("ELASTICSEARCH_URL"))), invoker)
        .RequestTimeout(TimeSpan.FromSeconds(double.Parse(timeout, CultureInfo.InvariantCulture)))
        .MaximumRetries(0) // The handler retries.
        .ThrowExceptions();
    return new ElasticsearchClient(settings);
}

static HttpMessageHandler Sender()
{
    var sender = new SocketsHttpHandler { AllowAutoRedirect = false, ConnectTimeout = TimeSpan.FromSeconds(5) };
    if (Environment.GetEnvironmentVariable("ELASTICSEARCH_CA") is { } authority)
    {
        var policy = new X509ChainPolicy
        {
            TrustMode = X509ChainTrustMode.CustomRootTrust,
            RevocationMode = X509RevocationMode.NoCheck,
        };
        policy.CustomTrustStore.ImportFromPemFile(authority);
        sender.SslOptions.CertificateChainPolicy = policy; // The name in the certificate is verified, too.
    }
    return sender;
}

static string Required(string variable) =>
    Environment.GetEnvironmentVariable(variable) ?? throw new InvalidOperationException($"set {variable}");

internal sealed record Order(int Total);
