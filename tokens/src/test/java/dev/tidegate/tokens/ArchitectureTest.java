package dev.tidegate.tokens;

import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.classes;

import com.tngtech.archunit.core.importer.ImportOption;
import com.tngtech.archunit.junit.AnalyzeClasses;
import com.tngtech.archunit.junit.ArchTest;
import com.tngtech.archunit.lang.ArchRule;

/** Whatever this module knew, three services would have to know. */
@AnalyzeClasses(packages = "dev.tidegate.tokens", importOptions = ImportOption.DoNotIncludeTests.class)
class ArchitectureTest {
    @ArchTest
    static final ArchRule KNOWS_THE_PROTOCOL_AND_JWT_ALONE = classes()
            .should()
            .onlyDependOnClassesThat()
            .resideInAnyPackage(
                    "dev.tidegate.tokens..",
                    "dev.tidegate.protocol..",
                    "com.nimbusds..",
                    "org.slf4j..",
                    "org.jspecify..",
                    "java..");
}
