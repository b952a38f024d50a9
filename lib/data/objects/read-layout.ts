/** From the tokens of a layout back to what a person can look at. */
import type { LayoutReader } from '../../models/layout2img-diffusion';
import type { LayoutBox } from '../../pictures/layout-pictures';
import { AnnotatedObjects } from '../sets/annotated-objects';
import { type ObjectClass, ObjectsBoundingBoxConditionalBuilder } from './conditional-builder';

const ATTRIBUTES = ['group_of', 'occluded', 'depiction', 'inside'] as const;

/**
 * What the layouts of a data set under `key` (coordinates_bbox, objects_bbox) say, with the names of its classes; null for a
 * data set that makes none.
 */
export function layoutReader(dataset: unknown, key: string): LayoutReader | null {
  if (!(dataset instanceof AnnotatedObjects)) return null;
  const builder = dataset.conditionalBuilders[key];
  if (!(builder instanceof ObjectsBoundingBoxConditionalBuilder)) return null;
  return (tokens) => {
    const { objects, crop } = builder.inverseBuild(tokens);
    return {
      objects: objects.map(({ token, place }) => ({
        label: labelOf(builder.representationToClass(token), dataset.classNames),
        box: place as unknown as LayoutBox,
      })),
      crop,
    };
  };
}

/** The class's name with the initials of its attributes, such as 'Person (g,o)'. */
function labelOf(object: ObjectClass, names: readonly string[]): string {
  const initials = ATTRIBUTES.filter((name) => object[`is_${name}`]).map((name) => name[0]);
  const name = names[object.category_no] ?? String(object.category_no);
  return initials.length > 0 ? `${name} (${initials.join(',')})` : name;
}
