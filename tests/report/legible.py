"""What is written in a figure, and what of it cannot be read."""

from matplotlib.text import Text


def texts(figure):
    """(text, box in pixels) of all that is written, as it is rendered."""
    figure.draw_without_rendering()
    written = [*figure.texts]
    for legend in figure.legends:
        written += legend.get_texts()
    for ax in figure.axes:
        written += ax.texts
        for axis in (ax.xaxis, ax.yaxis) if ax.axison else ():
            written += [axis.label, *(tick.label1 for tick in axis._update_ticks())]
    shown = [text for text in written if text.get_visible() and text.get_text().strip()]
    return [(text.get_text(), Text.get_window_extent(text)) for text in shown]


def unreadable(figure):
    """Texts outside of the figure, and pairs that overlap by more than antialiasing."""
    boxes = texts(figure)
    width, height = figure.bbox.size
    faults = [text for text, b in boxes if b.x0 < 0 or b.y0 < 0 or b.x1 > width or b.y1 > height]
    for i, (text, a) in enumerate(boxes):
        for other, b in boxes[:i]:
            wide = min(a.x1, b.x1) - max(a.x0, b.x0)
            tall = min(a.y1, b.y1) - max(a.y0, b.y0)
            if wide > 1 and tall > 1.5:
                faults.append((text, other))
    return faults
