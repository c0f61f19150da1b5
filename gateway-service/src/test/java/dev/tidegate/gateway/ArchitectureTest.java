package dev.tidegate.gateway;

import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.classes;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;

import com.tngtech.archunit.core.domain.JavaClass;
import com.tngtech.archunit.core.importer.ImportOption.DoNotIncludeTests;
import com.tngtech.archunit.junit.AnalyzeClasses;
import com.tngtech.archunit.junit.ArchTest;
import com.tngtech.archunit.lang.ArchCondition;
import com.tngtech.archunit.lang.ArchRule;
import com.tngtech.archunit.lang.ConditionEvents;
import com.tngtech.archunit.lang.SimpleConditionEvent;

/** The import rules that keep the two planes apart. */
@AnalyzeClasses(packages = "dev.tidegate.gateway", importOptions = DoNotIncludeTests.class)
class ArchitectureTest {
    private static final String GATEWAY = "dev.tidegate.gateway.";

    /** The hot path and the resume path know Netty and nothing of the control plane. */
    @ArchTest
    static final ArchRule THE_CORE_KNOWS_NEITHER_SPRING_NOR_REACTOR = noClasses()
            .that()
            .resideInAnyPackage(
                    GATEWAY + "fanout..",
                    GATEWAY + "session..",
                    GATEWAY + "resume..",
                    GATEWAY + "backplane..",
                    GATEWAY + "auth..",
                    GATEWAY + "metrics..")
            .should()
            .dependOnClassesThat()
            .resideInAnyPackage("org.springframework..", "reactor..", "org.reactivestreams..");

    @ArchTest
    static final ArchRule ONLY_TRANSPORT_KNOWS_WEBFLUX_AND_REACTOR = noClasses()
            .that()
            .resideOutsideOfPackage(GATEWAY + "transport..")
            .should()
            .dependOnClassesThat()
            .resideInAnyPackage(
                    "reactor..",
                    "org.springframework.web..",
                    "org.springframework.http..",
                    "io.netty.handler.codec.http");

    @ArchTest
    static final ArchRule THE_CORE_DOES_NOT_KNOW_THE_EDGE = noClasses()
            .that()
            .resideInAnyPackage(
                    GATEWAY + "fanout..",
                    GATEWAY + "session..",
                    GATEWAY + "resume..",
                    GATEWAY + "backplane..",
                    GATEWAY + "auth..",
                    GATEWAY + "metrics..")
            .should()
            .dependOnClassesThat()
            .resideInAnyPackage(GATEWAY + "transport..", GATEWAY + "config..");

    /** The tailer hands records to the dispatcher; sessions never see Kafka. */
    @ArchTest
    static final ArchRule KAFKA_STAYS_BEHIND_THE_BACKPLANE = noClasses()
            .that()
            .resideOutsideOfPackages(GATEWAY + "backplane..", GATEWAY + "fanout..")
            .should()
            .dependOnClassesThat()
            .resideInAPackage("org.apache.kafka..");

    @ArchTest
    static final ArchRule SERVICES_DO_NOT_IMPORT_EACH_OTHER = noClasses()
            .should()
            .dependOnClassesThat()
            .resideInAnyPackage("dev.tidegate.ingest..", "dev.tidegate.replay..", "dev.tidegate.standalone..");

    /** Services share the protocol and what tokens are worth (docs/adr/069), and a token is taken apart in one place. */
    @ArchTest
    static final ArchRule ONLY_THE_TOKENS_MODULE_KNOWS_JWT =
            noClasses().should().dependOnClassesThat().resideInAPackage("com.nimbusds..");

    /** Nothing in the composition root is used by what it puts together. */
    @ArchTest
    static final ArchRule NOTHING_USES_THE_COMPOSITION_ROOT = noClasses()
            .that()
            .resideInAPackage(GATEWAY + "*..")
            .should()
            .dependOnClassesThat()
            .resideInAPackage("dev.tidegate.gateway");

    @ArchTest
    static final ArchRule NAMES_SAY_WHAT_A_THING_IS = noClasses()
            .should()
            .haveSimpleNameEndingWith("Impl")
            .orShould()
            .haveSimpleNameEndingWith("Util")
            .orShould()
            .haveSimpleNameEndingWith("Utils")
            .orShould()
            .haveSimpleNameEndingWith("Helper")
            .orShould()
            .haveSimpleNameEndingWith("Manager");

    @ArchTest
    static final ArchRule EVERY_PACKAGE_SAYS_WHAT_IT_IS_FOR = classes().should(resideInAnnotatedPackage());

    private static ArchCondition<JavaClass> resideInAnnotatedPackage() {
        return new ArchCondition<>("be in a package with a @NullMarked package-info") {
            @Override
            public void check(JavaClass c, ConditionEvents events) {
                boolean marked = c.getPackage()
                        .tryGetAnnotationOfType(org.jspecify.annotations.NullMarked.class)
                        .isPresent();
                events.add(new SimpleConditionEvent(c, marked, c.getPackageName() + " has no package-info"));
            }
        };
    }
}
