import co.elastic.clients.elasticsearch.ElasticsearchClient;
import co.elastic.clients.elasticsearch._types.ElasticsearchException;
import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.util.Map;

public class Call {
    public static void main(String[] arguments) throws Exception {
        try (var transport = Identity.connect(System.getenv())) {
            var client = new ElasticsearchClient(transport);
            if (arguments.length == 2 && arguments[0].equals("--write")) {
                write(client, arguments[1]);
                return;
            }
            for (var index : arguments) {
                var found = client.search(search -> search.index(index).size(10), JsonNode.class);
                System.out.println(found.toString());
            }
        } catch (ElasticsearchException error) {
            System.err.println("Elasticsearch answers " + error.status() + ": " + error.getMessage());
            System.exit(1);
        } catch (IOException error) {
            System.err.println(error);
            System.exit(1);
        }
    }

    private static void write(ElasticsearchClient client, String index) throws IOException {
        var answer = client.bulk(bulk -> {
            for (var total = 1; total <= 2; total++) {
                var order = Map.of("total", total);
                var id = "order-" + total;
                bulk.operations(one -> one.index(document -> document.index(index).id(id).document(order)));
            }
            return bulk;
        });
        if (answer.errors()) { // The status of the whole is 200 all the same.
            var refused = answer.items().stream().filter(item -> item.error() != null).toList();
            throw new IOException("refused: " + refused);
        }
        System.out.println(answer.items().size() + " written");
    }
}
