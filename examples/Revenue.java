// A consumer of orderflow's topic in another language, with nothing but Kafka's client and a reader of JSON.
//
//     java -cp 'JARS/*' examples/Revenue.java BOOTSTRAP_SERVERS TOPIC GROUP FILE
//
// JARS has kafka-clients and jackson-databind (both come with Apache Kafka). It keeps the revenue by currency in FILE,
// each event counted once, however often it is delivered and wherever this program is killed.

import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.math.BigDecimal;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.ConsumerRecords;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.errors.WakeupException;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;

public class Revenue {
    // Amounts keep their exact digits: 25.50 is never a double.
    static final ObjectMapper JSON = new ObjectMapper()
        .enable(DeserializationFeature.USE_BIG_DECIMAL_FOR_FLOATS)
        .setNodeFactory(JsonNodeFactory.withExactBigDecimals(true));

    final Path file;
    final ObjectNode orders;
    final ObjectNode revenue;

    Revenue(Path file) throws IOException {
        this.file = file;
        JsonNode kept = Files.exists(file) ? JSON.readTree(file.toFile()) : JSON.createObjectNode();
        orders = kept.withObject("/orders");
        revenue = kept.withObject("/revenue");
    }

    public static void main(String[] given) throws Exception {
        Revenue books = new Revenue(Path.of(given[3]));
        Map<String, Object> properties = Map.of(
            "bootstrap.servers", given[0],
            "group.id", given[2],
            "isolation.level", "read_committed",
            "auto.offset.reset", "earliest",
            "enable.auto.commit", "false");
        var bytes = new ByteArrayDeserializer();
        var consumer = new KafkaConsumer<byte[], byte[]>(properties, bytes, bytes);
        Thread reader = Thread.currentThread();
        Runtime.getRuntime().addShutdownHook(new Thread(() -> {
            consumer.wakeup();
            try {
                reader.join();
            } catch (InterruptedException stopped) {
                Thread.currentThread().interrupt();
            }
        }));
        try (consumer) {
            consumer.subscribe(List.of(given[1]));
            while (true) {
                ConsumerRecords<byte[], byte[]> records = consumer.poll(Duration.ofSeconds(1));
                boolean changed = false;
                for (ConsumerRecord<byte[], byte[]> record : records) changed |= books.take(record);
                if (changed) books.keep();
                if (!records.isEmpty()) consumer.commitSync(); // after the effect: what is lost here comes again
            }
        } catch (WakeupException asked) {
            System.err.println("stopped");
        }
    }

    /** Whether the event was new; what was seen before changes nothing. */
    boolean take(ConsumerRecord<byte[], byte[]> record) throws IOException {
        Header header = record.headers().lastHeader("sequence");
        if (header == null) throw new IllegalStateException(record + " is none of orderflow's events");
        long sequence = Long.parseLong(new String(header.value(), StandardCharsets.UTF_8));
        JsonNode event = JSON.readTree(record.value());
        ObjectNode order = orders.withObjectProperty(event.get("orderId").textValue());
        long last = order.path("sequence").asLong(0);
        if (sequence <= last) return false; // seen before: a duplicate
        if (last > 0 && sequence > last + 1) throw new IllegalStateException("events before " + record + " are missing");
        if (!event.get("version").textValue().equals("1.0")) throw new IllegalStateException("a new contract: " + record);
        count(order, event.get("type").textValue(), event.get("data"));
        order.put("sequence", sequence); // kept together with the effect, or not at all
        return true;
    }

    void count(ObjectNode order, String type, JsonNode data) {
        switch (type) {
            case "order.created" -> {
                order.set("total", data.get("totalPrice"));
                order.put("currency", data.path("currency").asText("unknown"));
                add(order.get("currency").textValue(), data.get("totalPrice").decimalValue());
            }
            case "order.cancelled" -> {
                BigDecimal total = order.path("total").decimalValue();
                add(order.path("currency").asText("unknown"), total.negate());
            }
            default -> { } // a type that does not concern us, or is newer than this program
        }
    }

    void add(String currency, BigDecimal amount) {
        revenue.put(currency, revenue.path(currency).decimalValue().add(amount));
    }

    /** Effect and sequences at once: the file is the old one or the new one, also when the power goes. */
    void keep() throws IOException {
        ObjectNode all = JSON.createObjectNode();
        all.set("revenue", revenue);
        all.set("orders", orders);
        Path next = file.resolveSibling(file.getFileName() + ".next");
        try (FileChannel channel = FileChannel.open(next, StandardOpenOption.CREATE, StandardOpenOption.WRITE,
                StandardOpenOption.TRUNCATE_EXISTING)) {
            ByteBuffer content = ByteBuffer.wrap(JSON.writeValueAsBytes(all));
            while (content.hasRemaining()) channel.write(content);
            channel.force(true);
        }
        Files.move(next, file, StandardCopyOption.ATOMIC_MOVE);
    }
}
