package dev.tidegate.replay;

import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;

import com.tngtech.archunit.core.importer.ImportOption;
import com.tngtech.archunit.junit.AnalyzeClasses;
import com.tngtech.archunit.junit.ArchTest;
import com.tngtech.archunit.lang.ArchRule;
import com.tngtech.archunit.library.dependencies.SlicesRuleDefinition;

/** The import rules of this service. */
@AnalyzeClasses(packages = "dev.tidegate", importOptions = ImportOption.DoNotIncludeTests.class)
class ArchitectureTest {
    @ArchTest
    static final ArchRule servicesDoNotImportEachOther = noClasses()
            .that()
            .resideInAPackage("dev.tidegate.replay..")
            .should()
            .dependOnClassesThat()
            .resideInAnyPackage(
                    "dev.tidegate.gateway..",
                    "dev.tidegate.ingest..",
                    "dev.tidegate.standalone..",
                    "dev.tidegate.backends..",
                    "dev.tidegate.testsupport..",
                    "com.nimbusds.."); // what tokens are worth, the module of that name says (docs/adr/069)

    @ArchTest
    static final ArchRule theRecentLogKnowsNeitherKafkaNorSpring = noClasses()
            .that()
            .resideInAPackage("dev.tidegate.replay.recent..")
            .should()
            .dependOnClassesThat()
            .resideInAnyPackage("org.apache.kafka..", "org.springframework..", "reactor..", "io.netty..");

    @ArchTest
    static final ArchRule onlyOnePackageKnowsKafka = noClasses()
            .that()
            .resideInAPackage("dev.tidegate.replay..")
            .and()
            .resideOutsideOfPackage("dev.tidegate.replay.kafka..")
            .should()
            .dependOnClassesThat()
            .resideInAnyPackage("org.apache.kafka..", "reactor.kafka..");

    @ArchTest
    static final ArchRule migrationsAreThePostgresModules = noClasses()
            .that()
            .resideInAPackage("dev.tidegate.replay..")
            .should()
            .dependOnClassesThat()
            .resideInAnyPackage("java.sql..", "javax.sql..", "org.postgresql..", "org.flywaydb..");

    @ArchTest
    static final ArchRule onlyTheApiKnowsHttp = noClasses()
            .that()
            .resideInAnyPackage(
                    "dev.tidegate.replay.cursors..",
                    "dev.tidegate.replay.kafka..",
                    "dev.tidegate.replay.postgres..",
                    "dev.tidegate.replay.tiers..",
                    "dev.tidegate.replay.access..")
            .should()
            .dependOnClassesThat()
            .resideInAnyPackage("org.springframework.web..", "org.springframework.http..", "reactor.netty..");

    @ArchTest
    static final ArchRule packagesHaveNoCycles = SlicesRuleDefinition.slices()
            .matching("dev.tidegate.replay.(*)..")
            .should()
            .beFreeOfCycles();
}
