/** Every preprocessor makes itself known when it is imported; a new file is one line here. */
import './annotated-objects';
import './captioned';
import './image-paths';
import './lsun';
import './segmentation';
import './super-resolution';

export { preprocessorNamed } from './preprocessor';
