package dev.tidegate.ingest;

import static com.tngtech.archunit.base.DescribedPredicate.not;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static com.tngtech.archunit.library.dependencies.SlicesRuleDefinition.slices;

import com.tngtech.archunit.core.domain.JavaClass;
import com.tngtech.archunit.core.importer.ImportOption;
import com.tngtech.archunit.junit.AnalyzeClasses;
import com.tngtech.archunit.junit.ArchTest;
import com.tngtech.archunit.lang.ArchRule;

/** Which package may know what. */
@AnalyzeClasses(packages = "dev.tidegate", importOptions = ImportOption.DoNotIncludeTests.class)
class LayeringTest {
    private static final String US = "dev.tidegate.ingest..";

    @ArchTest
    static final ArchRule servicesShareTheProtocolWhatTokensAreWorthAndWhereTheBackendsAre = noClasses()
            .that()
            .resideInAPackage(US)
            .should()
            .dependOnClassesThat(JavaClass.Predicates.resideInAPackage("dev.tidegate..")
                    .and(not(JavaClass.Predicates.resideInAnyPackage(
                            US,
                            "dev.tidegate.protocol..",
                            "dev.tidegate.tokens..",
                            "dev.tidegate.intake..",
                            "dev.tidegate.postgres..",
                            "dev.tidegate.redis.."))))
            .orShould()
            .dependOnClassesThat()
            .resideInAnyPackage("com.nimbusds..", "java.sql..", "javax.sql..", "org.postgresql..", "org.flywaydb..");

    @ArchTest
    static final ArchRule publishingKnowsNoHttpAndNoRedis = noClasses()
            .that()
            .resideInAPackage("dev.tidegate.ingest.publish..")
            .should()
            .dependOnClassesThat()
            .resideInAnyPackage(
                    "dev.tidegate.ingest.api..",
                    "dev.tidegate.ingest.admission..",
                    "org.springframework.web..",
                    "org.springframework.http..",
                    "reactor..",
                    "io.netty..",
                    "io.lettuce..");

    @ArchTest
    static final ArchRule admissionKnowsNoWebFluxAndNoKafka = noClasses()
            .that()
            .resideInAPackage("dev.tidegate.ingest.admission..")
            .should()
            .dependOnClassesThat()
            .resideInAnyPackage(
                    "dev.tidegate.ingest.api..",
                    "dev.tidegate.ingest.publish..",
                    "org.springframework.web.reactive..",
                    "org.springframework.web.server..",
                    "reactor..",
                    "org.apache.kafka..");

    @ArchTest
    static final ArchRule packagesDoNotDependOnEachOtherInCircles =
            slices().matching("dev.tidegate.ingest.(*)..").should().beFreeOfCycles();
}
