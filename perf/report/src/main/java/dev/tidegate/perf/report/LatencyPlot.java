package dev.tidegate.perf.report;

import java.util.List;
import java.util.Locale;

/**
 * Latency by percentile: the axis of percentiles is logarithmic in what is left above them, so that the tail is as wide
 * as the middle (the habit of HdrHistogram); milliseconds are logarithmic too.
 */
final class LatencyPlot {
    /** A point: so many per cent of the deliveries took at most so long. */
    record Point(double percentile, double millis) {}

    /** One run. */
    record Series(String name, List<Point> points) {}

    private static final int WIDTH = 820;
    private static final int LEFT = 64;
    private static final int RIGHT = 24;
    private static final int TOP = 44;
    private static final int PLOT_HEIGHT = 300;
    private static final double[] TICKS = {0, 50, 90, 99, 99.9, 99.99, 99.999};

    private LatencyPlot() {}

    static String draw(String title, List<Series> series) {
        double widest = 1;
        double low = Double.MAX_VALUE;
        double high = 0;
        for (Series s : series) {
            for (Point p : s.points()) {
                if (p.percentile() < 100) {
                    widest = Math.max(widest, nines(p.percentile()));
                }
                low = Math.min(low, Math.max(0.01, p.millis()));
                high = Math.max(high, p.millis());
            }
        }
        int from = (int) Math.floor(Math.log10(low));
        int to = Math.max(from + 1, (int) Math.ceil(Math.log10(Math.max(high, 0.011))));
        int height = TOP + PLOT_HEIGHT + 52 + 18 * series.size();
        Svg svg = new Svg(WIDTH, height, title);
        svg.heading(LEFT, 24, title);
        for (int e = from; e <= to; e++) {
            double y = y(Math.pow(10, e), from, to);
            svg.line(LEFT, y, WIDTH - RIGHT, y, Svg.FAINT);
            svg.text(LEFT - 8, y + 4, "end", label(e));
        }
        svg.text(LEFT - 8, TOP - 14, "end", "ms");
        for (double t : TICKS) {
            if (nines(t) <= widest) {
                double x = x(nines(t), widest);
                svg.line(x, TOP, x, TOP + PLOT_HEIGHT, Svg.FAINT);
                svg.text(x, TOP + PLOT_HEIGHT + 18, "middle", trim(t) + " %");
            }
        }
        for (int i = 0; i < series.size(); i++) {
            Series s = series.get(i);
            StringBuilder points = new StringBuilder();
            for (Point p : s.points()) {
                double at = p.percentile() >= 100 ? widest : Math.min(widest, nines(p.percentile()));
                points.append(String.format(
                        Locale.ROOT, "%.1f,%.1f ", x(at, widest), y(Math.max(p.millis(), 0.01), from, to)));
            }
            svg.polyline(points.toString().strip(), Svg.colour(i));
            double y = TOP + PLOT_HEIGHT + 44 + 18 * i;
            svg.rect(LEFT, y - 9, 12, 12, Svg.colour(i));
            svg.text(LEFT + 20, y + 2, "start", s.name());
        }
        return svg.finish();
    }

    /** How many nines: 90 % is 1, 99 % is 2. */
    private static double nines(double percentile) {
        return -Math.log10(1 - percentile / 100);
    }

    private static double x(double nines, double widest) {
        return LEFT + (WIDTH - LEFT - RIGHT) * nines / widest;
    }

    private static double y(double millis, int from, int to) {
        return TOP + PLOT_HEIGHT * (1 - (Math.log10(millis) - from) / (to - from));
    }

    private static String label(int exponent) {
        return exponent >= 0
                ? String.format(Locale.ROOT, "%.0f", Math.pow(10, exponent))
                : String.format(Locale.ROOT, "%." + -exponent + "f", Math.pow(10, exponent));
    }

    private static String trim(double percentile) {
        return percentile == Math.rint(percentile) ? String.valueOf((int) percentile) : String.valueOf(percentile);
    }
}
