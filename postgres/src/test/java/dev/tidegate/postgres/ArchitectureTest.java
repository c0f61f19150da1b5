package dev.tidegate.postgres;

import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.classes;

import com.tngtech.archunit.core.importer.ImportOption;
import com.tngtech.archunit.junit.AnalyzeClasses;
import com.tngtech.archunit.junit.ArchTest;
import com.tngtech.archunit.lang.ArchRule;

/** Whatever this module knew, the services would have to know. */
@AnalyzeClasses(packages = "dev.tidegate.postgres", importOptions = ImportOption.DoNotIncludeTests.class)
class ArchitectureTest {
    @ArchTest
    static final ArchRule KNOWS_THE_DRIVERS_AND_FLYWAY_ALONE = classes()
            .should()
            .onlyDependOnClassesThat()
            .resideInAnyPackage(
                    "dev.tidegate.postgres..",
                    "io.r2dbc.postgresql..",
                    "org.postgresql..",
                    "org.flywaydb..",
                    "org.jspecify..",
                    "java..");
}
