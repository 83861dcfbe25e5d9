// The example's handler on a plain HttpClient, with the same arguments and output as the other examples.
using System;
using System.Globalization;
using System.IO;
using System.Net.Http;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using System.Threading.Tasks;
using Mono.Security.Interface;

public static class Call
{
    public static int Main(string[] arguments)
    {
        try
        {
            return Run(arguments).GetAwaiter().GetResult();
        }
        catch (OperationCanceledException)
        {
            Console.Error.WriteLine("timed out");
        }
        catch (Exception error) when (error is HttpRequestException || error is InvalidOperationException)
        {
            for (var cause = error; cause != null; cause = cause.InnerException)
            {
                Console.Error.WriteLine(cause.GetType().Name + ": " + cause.Message);
            }
        }
        return 1;
    }

    private static async Task<int> Run(string[] arguments)
    {
        var tokens = new IdentityTokens(Environment.GetEnvironmentVariable("ELASTICSEARCH_AUDIENCE"));
        Trust(Environment.GetEnvironmentVariable("ELASTICSEARCH_CA"));
        var sender = new HttpClientHandler { AllowAutoRedirect = false };
        var timeout = Environment.GetEnvironmentVariable("ELASTICSEARCH_TIMEOUT") ?? "30";
        using (var client = new HttpClient(new GoogleIdToken(tokens, sender)))
        {
            client.BaseAddress = new Uri(Environment.GetEnvironmentVariable("ELASTICSEARCH_URL"));
            client.Timeout = TimeSpan.FromSeconds(double.Parse(timeout, CultureInfo.InvariantCulture));
            client.DefaultRequestHeaders.ExpectContinue = false;
            if (arguments.Length == 2 && arguments[0] == "--write")
            {
                return await Write(client, arguments[1]);
            }
            foreach (var index in arguments)
            {
                var body = new StringContent("{\"size\":10}", Encoding.UTF8, "application/json");
                var found = await Answer(await client.PostAsync("/" + index + "/_search", body));
                if (found == null)
                {
                    return 1;
                }
                Console.WriteLine(found);
            }
            return 0;
        }
    }

    // Mono lacks what Program.cs does instead.
    private static void Trust(string file)
    {
        if (file != null)
        {
            var settings = MonoTlsSettings.CopyDefaultSettings();
            settings.TrustAnchors = new X509CertificateCollection { new X509Certificate(File.ReadAllBytes(file)) };
            MonoTlsSettings.DefaultSettings = settings;
        }
    }

    private static async Task<int> Write(HttpClient client, string index)
    {
        var lines = new StringBuilder();
        for (var total = 1; total <= 2; total++)
        {
            lines.Append("{\"index\":{\"_id\":\"order-" + total + "\"}}\n{\"total\":" + total + "}\n");
        }
        var body = new StringContent(lines.ToString(), Encoding.UTF8, "application/x-ndjson");
        var answer = await Answer(await client.PostAsync("/" + index + "/_bulk", body));
        if (answer == null)
        {
            return 1;
        }
        if (!answer.Contains("\"errors\":false") && !answer.Contains("\"errors\": false"))
        {
            Console.Error.WriteLine("refused: " + answer);
            return 1;
        }
        Console.WriteLine("2 written");
        return 0;
    }

    private static async Task<string> Answer(HttpResponseMessage response)
    {
        var text = await response.Content.ReadAsStringAsync();
        if (response.IsSuccessStatusCode)
        {
            return text;
        }
        Console.Error.WriteLine("Elasticsearch answers " + (int)response.StatusCode + ": " + text);
        return null;
    }
}
