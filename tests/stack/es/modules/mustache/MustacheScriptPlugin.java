import com.github.mustachejava.DefaultMustacheFactory;
import com.github.mustachejava.Mustache;
import java.io.IOException;
import java.io.StringReader;
import java.io.StringWriter;
import java.io.UncheckedIOException;
import java.io.Writer;
import java.util.Collection;
import java.util.Map;
import java.util.Set;
import org.elasticsearch.common.settings.Settings;
import org.elasticsearch.plugins.Plugin;
import org.elasticsearch.plugins.ScriptPlugin;
import org.elasticsearch.script.ScriptContext;
import org.elasticsearch.script.ScriptEngine;
import org.elasticsearch.script.TemplateScript;

/**
 * The script language mustache, which role templates need. Elasticsearch's own lang-mustache is not on Maven Central; this
 * uses the same library underneath.
 */
public final class MustacheScriptPlugin extends Plugin implements ScriptPlugin {
    @Override
    public ScriptEngine getScriptEngine(Settings settings, Collection<ScriptContext<?>> contexts) {
        return new MustacheScriptEngine();
    }

    private static final class MustacheScriptEngine implements ScriptEngine {
        @Override
        public String getType() {
            return "mustache";
        }

        @Override
        public Set<ScriptContext<?>> getSupportedContexts() {
            return Set.of(TemplateScript.CONTEXT, TemplateScript.INGEST_CONTEXT);
        }

        @Override
        public <T> T compile(String name, String source, ScriptContext<T> context, Map<String, String> parameters) {
            Mustache mustache =
                    new PlainTextFactory().compile(new StringReader(source), name == null ? "template" : name);
            TemplateScript.Factory factory = values -> new TemplateScript(values) {
                @Override
                public String execute() {
                    StringWriter result = new StringWriter();
                    mustache.execute(result, getParams());
                    return result.toString();
                }
            };
            return context.factoryClazz.cast(factory);
        }
    }

    /** Writes values as they are: a role name is not HTML. */
    private static final class PlainTextFactory extends DefaultMustacheFactory {
        @Override
        public void encode(String value, Writer writer) {
            try {
                writer.write(value);
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        }
    }
}
