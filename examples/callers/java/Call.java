import co.elastic.clients.elasticsearch.ElasticsearchClient;
import co.elastic.clients.elasticsearch._types.ElasticsearchException;
import com.fasterxml.jackson.databind.JsonNode;

public class Call {
    public static void main(String[] indices) throws Exception {
        try (var transport = Identity.connect(System.getenv())) {
            var client = new ElasticsearchClient(transport);
            for (var index : indices) {
                var found = client.search(search -> search.index(index).size(10), JsonNode.class);
                System.out.println(found.toString());
            }
        } catch (ElasticsearchException error) {
            System.err.println("Elasticsearch answers " + error.status() + ": " + error.getMessage());
            System.exit(1);
        }
    }
}
