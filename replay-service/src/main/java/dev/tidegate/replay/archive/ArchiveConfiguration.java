package dev.tidegate.replay.archive;

import dev.tidegate.replay.config.FanoutSettings;
import dev.tidegate.replay.config.NamespaceSettings;
import dev.tidegate.replay.config.ReplaySettings;
import dev.tidegate.replay.kafka.KafkaClients;
import dev.tidegate.replay.kafka.Tail;
import dev.tidegate.replay.kafka.TopicLog;
import dev.tidegate.replay.kafka.TopicWatch;
import dev.tidegate.replay.metrics.MeterNames;
import dev.tidegate.replay.metrics.ReplayMetrics;
import dev.tidegate.replay.postgres.Postgres;
import java.time.Clock;
import java.util.Set;
import java.util.TreeSet;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.springframework.beans.factory.SmartInitializingSingleton;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;

/** The beans of this package. */
@Configuration(proxyBeanMethods = false)
public class ArchiveConfiguration {
    private static final Logger log = LoggerFactory.getLogger(ArchiveConfiguration.class);

    @Bean(initMethod = "start")
    Archiving archiving(
            Postgres postgres,
            KafkaClients clients,
            TopicWatch watch,
            FanoutSettings fanout,
            NamespaceSettings namespaces,
            ReplaySettings settings,
            ReplayMetrics metrics) {
        return new Archiving(
                postgres,
                clients,
                watch,
                Math.toIntExact(fanout.maxPayloadBytes().toBytes()),
                archived(postgres, namespaces),
                settings,
                Clock.systemUTC(),
                metrics);
    }

    @Bean
    Archive archive(
            Postgres postgres,
            Archiving archiving,
            NamespaceSettings namespaces,
            ReplaySettings settings,
            ReplayMetrics metrics) {
        return new Archive(postgres, archived(postgres, namespaces), archiving::coverage, settings.archive(), metrics);
    }

    @Bean
    SmartInitializingSingleton archiveGauges(MeterNames meters, Archiving archiving, Archive archive, Tail tail) {
        Archiver.Ends ends = partition -> {
            TopicLog current = tail.current();
            return current == null || partition >= current.topic().partitions() ? 0 : current.end(partition);
        };
        return () -> meters.gauge(
                        "archive.lag",
                        "Records not archived yet, of this instance; NaN while it is not known where its partitions stand",
                        archiving,
                        a -> a.lagRecords(ends))
                .gauge(
                        "archive.lag.seconds",
                        "Age of the oldest of them, or for how long that has not been known",
                        archiving,
                        a -> a.lagSeconds(ends))
                .gauge("archive.partitions", "Partitions that this instance archives", archiving, Archiving::partitions)
                .gauge(
                        "archive.unplaced",
                        "Partitions that it was given and cannot archive, since PostgreSQL has not said where they stand",
                        archiving,
                        Archiving::unplaced)
                .gauge("archive.active", "Queries for pages of the archive under way", archive, Archive::active)
                .gauge("archive.waiting", "Requests waiting for one", archive, Archive::waiting)
                .gauge("archive.buffered.bytes", "Bytes read and not sent", archive, Archive::bufferedBytes);
    }

    private static Set<String> archived(Postgres postgres, NamespaceSettings namespaces) {
        Set<String> names = new TreeSet<>();
        namespaces.namespaces().forEach((name, ns) -> {
            if (ns.archive()) {
                names.add(name);
            }
        });
        if (!names.isEmpty() && !postgres.configured()) {
            log.warn("tidegate.postgres.url is not set: {} shall be archived and cannot be", names);
            return Set.of();
        }
        return names;
    }
}
