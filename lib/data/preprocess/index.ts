/** Every preprocessor makes itself known when it is imported; a new file is one line here. */
import './lsun';

export { preprocessorNamed } from './preprocessor';
