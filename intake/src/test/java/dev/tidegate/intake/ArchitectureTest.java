package dev.tidegate.intake;

import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.classes;

import com.tngtech.archunit.core.importer.ImportOption;
import com.tngtech.archunit.junit.AnalyzeClasses;
import com.tngtech.archunit.junit.ArchTest;
import com.tngtech.archunit.lang.ArchRule;

/** Whatever this module knew, the services would have to know. */
@AnalyzeClasses(packages = "dev.tidegate.intake", importOptions = ImportOption.DoNotIncludeTests.class)
class ArchitectureTest {
    @ArchTest
    static final ArchRule KNOWS_NETTY_AND_THE_PROTOCOL_ALONE = classes()
            .should()
            .onlyDependOnClassesThat()
            .resideInAnyPackage(
                    "dev.tidegate.intake..", "dev.tidegate.protocol..", "io.netty..", "org.jspecify..", "java..");
}
