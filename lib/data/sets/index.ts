/** Every file of data sets registers itself when it is imported; a new file is one line here. */
import './lsun';
import '../fluent-emoji';
import '../image-folder';
