/** Every file of targets registers itself when it is imported; a new file is one line here. */
import './architecture';
import './autoencoders';
import './blocks';
import './callbacks';
import './conditioners';
import './data';
import './data-sets';
import './diffusion';
import './identity';
import './image-sets';
import './loss-networks';
import './losses';
import './quantizers';
import './schedulers';
import './stable-diffusion-text';
import './unets';
import './x-transformer';
