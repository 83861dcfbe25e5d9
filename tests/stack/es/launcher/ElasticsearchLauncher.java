import java.nio.file.Path;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import org.elasticsearch.common.logging.LogConfigurator;
import org.elasticsearch.common.settings.KeyStoreWrapper;
import org.elasticsearch.common.settings.Settings;
import org.elasticsearch.env.Environment;
import org.elasticsearch.node.InternalSettingsPreparer;
import org.elasticsearch.node.Node;
import org.elasticsearch.plugins.PluginsLoader;

/**
 * Starts one Elasticsearch node without the distribution's bootstrap, whose native and entitlement parts are not on Maven
 * Central.
 *
 * <p>Arguments: the home (lib and modules, read-only, shared) and the configuration directory (one per node). Settings for the
 * keystore, such as the password of the user elastic, come in the environment, a line {@code name=value} each, so that they do
 * not show in the list of processes.
 */
public final class ElasticsearchLauncher {
    private static final String SECURE_SETTINGS_VARIABLE = "ELASTICSEARCH_SECURE_SETTINGS";

    private ElasticsearchLauncher() {}

    public static void main(String[] arguments) throws Exception {
        Path home = Path.of(arguments[0]).toAbsolutePath();
        Path config = Path.of(arguments[1]).toAbsolutePath();

        LogConfigurator.configureESLogging();
        Environment environment = prepareEnvironment(home, config);
        LogConfigurator.configure(environment, true);

        Node node = new Node(environment, loadModules(environment));
        closeOnExit(node);
        node.start();
        new CountDownLatch(1).await();
    }

    private static Environment prepareEnvironment(Path home, Path config) throws Exception {
        KeyStoreWrapper keystore = KeyStoreWrapper.create();
        for (String line : System.getenv(SECURE_SETTINGS_VARIABLE).split("\n")) {
            int end = line.indexOf('=');
            keystore.setString(line.substring(0, end), line.substring(end + 1).toCharArray());
        }
        Settings settings = Settings.builder().put("path.home", home).setSecureSettings(keystore).build();
        return InternalSettingsPreparer.prepareEnvironment(settings, Map.of(), config, () -> "node-0");
    }

    private static PluginsLoader loadModules(Environment environment) {
        return PluginsLoader.createPluginsLoader(
                PluginsLoader.loadModulesBundles(environment.modulesDir()),
                PluginsLoader.loadPluginsBundles(environment.pluginsDir()),
                Map.of(),
                false);
    }

    private static void closeOnExit(Node node) {
        Runtime.getRuntime().addShutdownHook(new Thread(() -> {
            try {
                node.close();
            } catch (Exception e) {
                e.printStackTrace();
            }
        }));
    }
}
