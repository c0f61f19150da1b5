package dev.tidegate.perf.report;

import java.util.Locale;

/** An SVG picture under construction: a white ground, so that it reads on any page, and one font. Units are pixels. */
final class Svg {
    static final String INK = "#1f2933";
    static final String FAINT = "#d5dbe1";
    private static final String[] COLOURS = {"#1d6fa5", "#c2571a", "#2f8f5b", "#8a4fa3", "#b03a48", "#6b7280"};

    private final StringBuilder out = new StringBuilder(4096);

    Svg(int width, int height, String title) {
        out.append(String.format(
                Locale.ROOT,
                "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" width=\"%d\" height=\"%d\""
                        + " role=\"img\" font-family=\"sans-serif\" font-size=\"12\">%n<title>%s</title>%n",
                width,
                height,
                width,
                height,
                escape(title)));
        out.append(String.format(Locale.ROOT, "<rect width=\"%d\" height=\"%d\" fill=\"#ffffff\"/>%n", width, height));
    }

    /** The colour of the n-th series. */
    static String colour(int n) {
        return COLOURS[n % COLOURS.length];
    }

    void line(double x1, double y1, double x2, double y2, String colour) {
        out.append(String.format(
                Locale.ROOT,
                "<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" stroke=\"%s\"/>%n",
                x1,
                y1,
                x2,
                y2,
                colour));
    }

    void rect(double x, double y, double width, double height, String colour) {
        out.append(String.format(
                Locale.ROOT,
                "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" fill=\"%s\"/>%n",
                x,
                y,
                width,
                height,
                colour));
    }

    /** @param anchor {@code start}, {@code middle} or {@code end} */
    void text(double x, double y, String anchor, String text) {
        out.append(String.format(
                Locale.ROOT,
                "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\" fill=\"%s\">%s</text>%n",
                x,
                y,
                anchor,
                INK,
                escape(text)));
    }

    void heading(double x, double y, String text) {
        out.append(String.format(
                Locale.ROOT,
                "<text x=\"%.1f\" y=\"%.1f\" font-size=\"15\" font-weight=\"bold\" fill=\"%s\">%s</text>%n",
                x,
                y,
                INK,
                escape(text)));
    }

    /** @param points {@code x,y x,y …} */
    void polyline(String points, String colour) {
        out.append(String.format(
                Locale.ROOT,
                "<polyline points=\"%s\" fill=\"none\" stroke=\"%s\" stroke-width=\"2\"/>%n",
                points,
                colour));
    }

    String finish() {
        return out + "</svg>\n";
    }

    static String number(double v) {
        if (v == 0 || Math.abs(v) >= 100) {
            return String.format(Locale.ROOT, "%.0f", v);
        }
        return String.format(Locale.ROOT, Math.abs(v) >= 10 ? "%.1f" : "%.2f", v);
    }

    private static String escape(String s) {
        return s.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("\"", "&quot;");
    }
}
