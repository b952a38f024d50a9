/** Every file of data sets registers itself when it is imported; a new file is one line here. */
import './annotated-objects-coco';
import './annotated-objects-open-images';
import './base';
import './coco';
import './custom';
import './faces';
import './imagenet';
import './lsun';
import './open-images';
import './segmentation';
import './super-resolution';
import './tar-shards';
import '../fluent-emoji';
import '../image-folder';
