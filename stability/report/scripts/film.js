// A run's film: one picture holds all its images, a row a visit; frames of it are drawn here.
const film = (() => {
  const { element, number } = page;
  const SIDE = 3;

  // Images side by side: eight in a row of a full film, otherwise as square as they come.
  function shapeOf(images) {
    const wide = images >= 32 ? 8 : Math.max(1, Math.floor(Math.sqrt(images)));
    return [wide, Math.max(1, Math.floor(images / wide))];
  }

  function frame(sheet, strip, place, [wide, tall]) {
    const [w, h] = [strip.width, strip.height];
    const canvas = element("canvas", { width: wide * w, height: tall * h });
    const pen = canvas.getContext("2d");
    const show = (visit) => {
      for (let image = 0; image < wide * tall; image += 1) {
        pen.drawImage(sheet, image * w, visit * h, w, h, (image % wide) * w, Math.floor(image / wide) * h, w, h);
      }
    };
    sheet.decode().then(() => show(canvas.visit ?? place)).catch(() => canvas.replaceWith("This picture cannot be read."));
    return { canvas, show: (visit) => {
      canvas.visit = visit;
      if (sheet.complete) show(visit);
    } };
  }

  function make(strip, shape = shapeOf(strip.images)) {
    const sheet = new Image();
    sheet.src = strip.source.startsWith("data:image/png;base64,") ? strip.source : "data:,";
    const last = strip.steps.length - 1;
    const large = frame(sheet, strip, last, shape);
    large.canvas.setAttribute("role", "img");
    const show = (place) => {
      large.show(place);
      large.canvas.setAttribute("aria-label", `${number(shape[0] * shape[1])} generated images at step ${number(strip.steps[place])}`);
    };
    show(last);
    const small = shape.map((length) => Math.min(SIDE, length));
    return { steps: strip.steps, large: large.canvas, show, thumb: (place) => frame(sheet, strip, place, small).canvas };
  }

  return { make };
})();
