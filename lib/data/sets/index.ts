/** Every file of data sets registers itself when it is imported; a new file is one line here. */
import './base';
import './custom';
import './faces';
import './imagenet';
import './lsun';
import './open-images';
import './super-resolution';
import '../fluent-emoji';
import '../image-folder';
