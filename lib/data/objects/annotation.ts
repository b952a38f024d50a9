/** Objects in images and their boxes (reference: taming/data/helper_types.py, taming/data/conditional_builder/utils.py). */

/** Left, top, width and height, as parts of the image's width and height. */
export type BoundingBox = readonly [left: number, top: number, width: number, height: number];

export interface Annotation {
  /** Number of the class, from 0. */
  category_no: number;
  category_id: string;
  bbox: BoundingBox;
  /** Of the box, as a part of the image's area. */
  area: number;
  image_id: string | number;
  id: number;
  source?: string;
  confidence?: number;
  is_group_of?: boolean;
  is_occluded?: boolean;
  is_truncated?: boolean;
  is_depiction?: boolean;
  is_inside?: boolean;
}

/** A class of objects. */
export interface Category {
  id: string;
  name: string;
}

/** The whole image. */
export const FULL_CROP: BoundingBox = [0, 0, 1, 1];

/** Area that two boxes have in common. */
export function intersectionArea(a: BoundingBox, b: BoundingBox): number {
  const overlap = (axis: 0 | 1) => {
    const end = Math.min(a[axis] + a[axis + 2], b[axis] + b[axis + 2]);
    return Math.max(0, end - Math.max(a[axis], b[axis]));
  };
  return overlap(0) * overlap(1);
}

/** The box in the mirrored image. */
export function mirroredBox([left, top, width, height]: BoundingBox): BoundingBox {
  return [1 - (left + width), top, width, height];
}

/** A box relative to a cut of the image, cut off at its border, perhaps mirrored. */
export function boxInCrop(bbox: BoundingBox, crop: BoundingBox, mirror: boolean): BoundingBox {
  const clamp = (x: number) => Math.max(Math.min(x, 1), 0);
  const left = clamp((bbox[0] - crop[0]) / crop[2]);
  const top = clamp((bbox[1] - crop[1]) / crop[3]);
  const width = Math.min(bbox[2] / crop[2], 1 - left);
  const height = Math.min(bbox[3] / crop[3], 1 - top);
  return [mirror ? 1 - (left + width) : left, top, width, height];
}
