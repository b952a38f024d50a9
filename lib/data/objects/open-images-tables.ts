/**
 * Tables of taming/data/open_images_helper.py (CompVis/taming-transformers, MIT), which configs name as
 * `category_allow_list_target` and `category_mapping_target`. The numbers of the classes in layout tokens follow from them.
 */

/** The 300 classes of OpenImages with the most boxes, and those that COCO has too. */
const TOP_300 = `
  Man, Clothing, Tree, Woman, Person, Human face, Girl, Building, Car, Plant, Human body, Flower, Window, Human arm,
  House, Wheel, Suit, Human hair, Human head, Chair, Boy, Table, Jeans, Tire, Skyscraper, Food, Footwear, Dress, Human
  leg, Toy, Tower, Boat, Land vehicle, Bicycle wheel, Palm tree, Fashion accessory, Glasses, Bicycle, Furniture,
  Sculpture, Bottle, Dog, Snack, Human hand, Bird, Book, Guitar, Jacket, Poster, Dessert, Baked goods, Drink, Flag,
  Houseplant, Tableware, Airplane, Door, Sports uniform, Shelf, Drum, Vehicle, Microphone, Street light, Cat, Fruit,
  Fast food, Animal, Vegetable, Train, Horse, Flowerpot, Motorcycle, Fish, Desk, Helmet, Truck, Bus, Hat, Auto part,
  Musical instrument, Sunglasses, Picture frame, Sports equipment, Shorts, Wine glass, Duck, Wine, Rose, Tie, Butterfly,
  Beer, Cabinetry, Laptop, Insect, Goggles, Shirt, Dairy Product, Marine invertebrates, Cattle, Trousers, Van,
  Billboard, Balloon, Human nose, Tent, Camera, Doll, Coat, Mobile phone, Swimwear, Strawberry, Stairs, Goose, Umbrella,
  Cake, Sun hat, Bench, Bookcase, Bee, Computer monitor, Hiking equipment, Office building, Coffee cup, Curtain, Plate,
  Box, Tomato, Coffee table, Office supplies, Maple, Muffin, Cocktail, Castle, Couch, Pumpkin, Computer keyboard, Human
  mouth, Christmas tree, Mushroom, Swimming pool, Pastry, Lavender (Plant), Football helmet, Bread, Traffic sign, Common
  sunflower, Television, Bed, Cookie, Fountain, Paddle, Bicycle helmet, Porch, Deer, Fedora, Canoe, Carnivore, Bowl,
  Human eye, Ball, Pillow, Salad, Beetle, Orange, Drawer, Platter, Elephant, Seafood, Monkey, Countertop, Watercraft,
  Helicopter, Kitchen appliance, Personal flotation device, Swan, Lamp, Boot, Bronze sculpture, Chicken, Taxi, Juice,
  Cowboy hat, Apple, Tin can, Necklace, Ice cream, Human beard, Coin, Candle, Cart, High heels, Weapon, Handbag,
  Penguin, Rifle, Violin, Skull, Lantern, Scarf, Saucer, Sheep, Vase, Lily, Mug, Parrot, Human ear, Sandal, Lizard,
  Kitchen & dining room table, Spider, Coffee, Goat, Squirrel, Cello, Sushi, Tortoise, Pizza, Studio couch, Barrel,
  Cosmetics, Moths and butterflies, Convenience store, Watch, Home appliance, Harbor seal, Luggage and bags, Vehicle
  registration plate, Shrimp, Jellyfish, French fries, Egg (Food), Football, Musical keyboard, Falcon, Candy, Medical
  equipment, Eagle, Dinosaur, Surfboard, Tank, Grape, Lion, Owl, Ski, Waste container, Frog, Sparrow, Rabbit, Pen, Sea
  lion, Spoon, Sink, Teddy bear, Bull, Sofa bed, Dragonfly, Brassiere, Chest of drawers, Aircraft, Human foot, Pig,
  Fork, Antelope, Tripod, Tool, Cheese, Lemon, Hamburger, Dolphin, Mirror, Marine mammal, Giraffe, Snake, Gondola,
  Wheelchair, Piano, Cupboard, Banana, Trumpet, Lighthouse, Invertebrate, Carrot, Sock, Tiger, Camel, Parachute,
  Bathroom accessory, Earrings, Headphones, Skirt, Skateboard, Sandwich, Saxophone, Goldfish, Stool, Traffic light,
  Shellfish, Backpack, Sea turtle, Cucumber, Tea, Toilet, Roller skates, Mule, Bust, Broccoli, Crab, Oyster, Cannon,
  Zebra, French horn, Grapefruit, Whiteboard, Zucchini, Crocodile, Clock, Wall clock, Doughnut, Snail, Baseball glove,
  Panda, Tennis racket, Pear, Bagel, Oven, Ladybug, Shark, Polar bear, Ostrich, Hot dog, Microwave oven, Fire hydrant,
  Stop sign, Parking meter, Bear, Flying disc, Snowboard, Tennis ball, Kite, Baseball bat, Kitchen knife, Knife,
  Submarine sandwich, Computer mouse, Remote control, Toaster, Sink, Refrigerator, Alarm clock, Wall clock, Scissors,
  Hair dryer, Toothbrush, Suitcase
`;

/** Classes of OpenImages that COCO does not tell apart: id, and the id that stands for it. */
const UNIFIED = {
  '/m/03bt1vf': '/m/01g317',
  '/m/04yx4': '/m/01g317',
  '/m/05r655': '/m/01g317',
  '/m/01bl7v': '/m/01g317',
  '/m/0cnyhnx': '/m/01xq0k1',
  '/m/01226z': '/m/018xm',
  '/m/05ctyq': '/m/018xm',
  '/m/058qzx': '/m/04ctx',
  '/m/06pcq': '/m/0l515',
  '/m/03m3pdh': '/m/02crq1',
  '/m/046dlr': '/m/01x3z',
  '/m/0h8mzrc': '/m/01x3z',
};

const MODULE = 'taming.data.open_images_helper';

/** Class names by the name of the table. */
export const ALLOW_LISTS: ReadonlyMap<string, ReadonlySet<string>> = new Map([
  [`${MODULE}.top_300_classes_plus_coco_compatibility`, new Set(TOP_300.trim().replace(/\s+/g, ' ').split(', '))],
]);

/** Class ids by the name of the table. */
export const MAPPINGS: ReadonlyMap<string, Readonly<Record<string, string>>> = new Map([
  [`${MODULE}.open_images_unify_categories_for_coco`, UNIFIED],
]);
