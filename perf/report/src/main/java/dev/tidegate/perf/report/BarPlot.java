package dev.tidegate.perf.report;

import java.util.List;

/** Horizontal bars, from zero, with the value at their end. */
final class BarPlot {
    /** One bar; bars of one {@code kind} share a colour. */
    record Bar(String label, String kind, double value) {}

    private static final int WIDTH = 820;
    private static final int LEFT = 250;
    private static final int RIGHT = 80;
    private static final int TOP = 52;
    private static final int STEP = 26;

    private BarPlot() {}

    static String draw(String title, String unit, List<Bar> bars) {
        double most = bars.stream().mapToDouble(Bar::value).max().orElse(1);
        List<String> kinds = bars.stream().map(Bar::kind).distinct().toList();
        int legend = TOP + STEP * bars.size() + 18;
        Svg svg = new Svg(WIDTH, legend + 18 * kinds.size(), title);
        svg.heading(16, 24, title);
        svg.text(WIDTH - 16, 24, "end", unit);
        for (int i = 0; i < bars.size(); i++) {
            Bar bar = bars.get(i);
            double y = TOP + STEP * i;
            double length = (WIDTH - LEFT - RIGHT) * bar.value() / Math.max(most, Double.MIN_NORMAL);
            svg.text(LEFT - 10, y + 13, "end", bar.label());
            svg.rect(LEFT, y, Math.max(1, length), STEP - 8, Svg.colour(kinds.indexOf(bar.kind())));
            svg.text(LEFT + Math.max(1, length) + 8, y + 13, "start", Svg.number(bar.value()));
        }
        svg.line(LEFT, TOP - 4, LEFT, TOP + STEP * bars.size(), Svg.INK);
        for (int k = 0; k < kinds.size(); k++) {
            svg.rect(16, legend - 10 + 18 * k, 12, 12, Svg.colour(k));
            svg.text(36, legend + 1 + 18 * k, "start", kinds.get(k));
        }
        return svg.finish();
    }
}
