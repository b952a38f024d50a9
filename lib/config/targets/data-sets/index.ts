/** Every file of data sets registers itself when it is imported; a new file is one line here. */
import './faces';
import './imagenet';
import './lists';
import './lsun';
import './objects';
import './segmentations';
import './shards';
